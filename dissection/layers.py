"""Finds the layer to dissect: the last rectified convolutional map, or the one that a user names.

A map is *rectified* where an activation made it (ReLU and its relatives, as modules or as functions) or a concatenation
of what activations made. The layer taken by default is the last rectified map on a way to the scores that still meets
a weight: SqueezeNet's last ReLU is passed over, its units are the classes. Of the modules that give this map, the
outermost is taken whose input is not the image: ``layer4`` rather than ``layer4.2.relu``, but ``features.29`` rather
than all of ``features``.

Where a function rectifies a module's output (DenseNet calls ``F.relu`` on ``features.norm5``'s), the layer is that
module with the function's name as its ``rectifier``; the same where one ReLU module serves many places. A network
without any rectified map (ConvNeXt, whose GELUs work on channels-last maps inside its blocks) gives its last map before
a weight that is not pooled, unless it works by attention: a transformer's tokens have no such map.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from .errors import LayerNotFoundError
from .recording import Call, Recording, Value, record
from .vocabulary import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

_CONVOLUTIONS = {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)}
_PRODUCTS = {"linear", "bilinear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"}
_WEIGHTED = _CONVOLUTIONS | _PRODUCTS
_ATTENTION = frozenset(("scaled_dot_product_attention", "multi_head_attention_forward"))
_RECTIFIERS = ("relu", "relu6")


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A layer that can be dissected, and whether its map is rectified."""

    layer: Layer
    rectified: bool


def feature_maps(module: nn.Module, input_size: tuple[int, int]) -> list[FeatureMap]:
    """Every layer that can be dissected, in order of execution.

    Raises:
        NetworkError: if the module cannot run on an RGB image of this height and width.
    """
    return Layers(record(module, input_size)).maps()


def default_layer(module: nn.Module, input_size: tuple[int, int]) -> Layer:
    """The last rectified convolutional map; see this module's description.

    Raises:
        LayerNotFoundError: if the network has none.
        NetworkError: if the module cannot run on an RGB image of this height and width.
    """
    return Layers(record(module, input_size)).default()


def find_layer(module: nn.Module, name: str, input_size: tuple[int, int]) -> Layer:
    """The layer of this name.

    Raises:
        LayerNotFoundError: if there is none, or it cannot be dissected; the message lists those that can, near ones
            first.
        NetworkError: if the module cannot run on an RGB image of this height and width.
    """
    return Layers(record(module, input_size)).named(name)


class Layers:
    """The layers of one recorded forward pass."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        runs = Counter(call.name for call in recording.calls)
        self._calls = [call for call in recording.calls if runs[call.name] == 1 and call.output and call.output.is_map]

    def maps(self) -> list[FeatureMap]:
        """Every layer that can be dissected, in order of execution."""
        return [FeatureMap(self._layer(call), self._is_rectified(call)) for call in self._calls]

    def default(self) -> Layer:
        """The last rectified map before a weight.

        Raises:
            LayerNotFoundError: if there is none.
        """
        before = self._before_weights()
        candidates = [value for value in reversed(self._recording.values) if value.is_map and value in before]
        chosen = self._first(value for value in candidates if value.rectified) or self._unrectified(candidates)
        if chosen is None:
            raise LayerNotFoundError(self._nothing())
        return chosen

    def named(self, name: str) -> Layer:
        """The layer of this name.

        Raises:
            LayerNotFoundError: if there is none, or it cannot be dissected.
        """
        for call in self._calls:
            if call.name == name:
                return self._layer(call)
        raise LayerNotFoundError(f"{self._problem(name)}; {self._offer(name)}")

    def _first(self, values: Iterable[Value]) -> Layer | None:
        """The first value that a module gives, or an activation's input that a module gives."""
        for value in values:
            call = self._giving(value) or (self._giving(value.parents[0]) if value.rectified else None)
            if call:
                return self._layer(call)
        return None

    def _unrectified(self, candidates: list[Value]) -> Layer | None:
        if any(map(_is_attention, self._recording.values)):
            return None
        return self._first(value for value in candidates if "pool" not in value.operation)

    def _giving(self, value: Value) -> Call | None:
        """The outermost module that makes a value and is not fed the image; one that is, where there is no other."""
        calls = [call for call in self._calls if call.output is value and value not in call.inputs]
        inner = [call for call in calls if not any(map(self._is_image, call.inputs))]
        return inner[-1] if inner else next(iter(calls), None)

    def _is_image(self, value: Value) -> bool:
        """Whether a value is the image, or a recolouring of it."""
        return value.shape == self._recording.image.shape

    def _layer(self, call: Call) -> Layer:
        assert call.output is not None
        _, units, height, width = call.output.shape
        return Layer(call.name, units, height, width, self._rectifier(call.output))

    def _rectifier(self, value: Value) -> str:
        """The function that rectifies a value before anything else sees it, if no module that can be tapped does."""
        if len(value.children) != 1 or value.children[0].operation not in _RECTIFIERS:
            return ""
        rectified = value.children[0]
        by_module = any(call.output is rectified and value in call.inputs for call in self._calls)
        return "" if by_module else rectified.operation

    def _is_rectified(self, call: Call) -> bool:
        assert call.output is not None
        return call.output.rectified or bool(self._rectifier(call.output))

    def _before_weights(self) -> set[Value]:
        """The values on a way to the scores that still meets a weight."""
        score = self._recording.score
        beyond, waiting = set[Value](), [(score, False)] if score else []
        seen = set(waiting)
        while waiting:
            value, weighted = waiting.pop()
            if weighted:
                beyond.add(value)
            steps = {(parent, weighted or value.operation in _WEIGHTED) for parent in value.parents} - seen
            seen |= steps
            waiting.extend(steps)
        return beyond

    def _nothing(self) -> str:
        kind = self._recording.kind
        if any(map(_is_attention, self._recording.values)):
            return f"{kind} works by attention and has no rectified convolutional map; choose a convolutional network"
        return f"{kind} has no rectified convolutional map before its last weights; {self._offer('')}"

    def _problem(self, name: str) -> str:
        kind, calls = self._recording.kind, [call for call in self._recording.calls if call.name == name]
        if name not in self._recording.modules:
            return f"{kind} has no layer {name!r}"
        if not calls:
            return f"layer {name!r} of {kind} does not run in a forward pass"
        if len(calls) > 1:
            return f"layer {name!r} of {kind} runs {len(calls)} times in a forward pass, so its units have no one map"
        return f"layer {name!r} of {kind} gives {_described(calls[0].output)}, no feature map"

    def _offer(self, name: str) -> str:
        """The layers that would do, rectified ones where there are any: those of similar names, then the last ones."""
        before = self._before_weights()
        usable = [call for call in self._calls if call.output in before or self._recording.score is None]
        names = [call.name for call in [call for call in usable if self._is_rectified(call)] or usable]
        offered = list(dict.fromkeys(get_close_matches(name, names, n=6, cutoff=0.5) + names[::-1]))[:6]
        return f"layers with units: {', '.join(offered)}" if offered else "it has no layers with units"


def _is_attention(value: Value) -> bool:
    return value.operation in _ATTENTION or (value.operation == "softmax" and len(value.shape) > 2)


def _described(value: Value | None) -> str:
    if value is None:
        return "no tensor of the image"
    shape = "x".join(map(str, value.shape)) or "scalar"
    return f"a tensor of {shape} with channels last" if value.channels != 1 else f"a tensor of {shape}"
