"""Finds the layer to dissect: the last rectified convolutional map, or the one that a user names.

A map is *rectified* if it comes from an activation (ReLU and its relatives, as modules or as functions), or if it
concatenates maps from activations. The default layer is the last rectified map with a weight on its way to the scores:
SqueezeNet's last ReLU is skipped, since its units are the classes. Of the modules that give this map, the outermost is
chosen whose input is not the image: ``layer4`` rather than ``layer4.2.relu``, but ``features.29`` rather than all of
``features``.

If a function rectifies a module's output (DenseNet calls ``F.relu`` on that of ``features.norm5``), the layer is that
module with the function's name as its ``rectifier``; likewise if one ReLU module serves many places. In a network
without rectified maps (ConvNeXt, whose GELUs work on channels-last maps inside its blocks), the default layer is the
last map before a weight that is not pooled.

A network that works by attention does not rectify the sums of its blocks. There the last of these sums, or its layer
norm, counts as rectified if the scores use its patches: Swin's ``permute``, MaxViT's ``blocks.3``. A ViT's scores use
only its class token; its patches matter up to the last attention, so its layer is the norm before that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dissection.errors import LayerNotFoundError
from dissection.vocabulary import RECTIFIERS, Layer

from .graphs import reached
from .map_layouts import Layout, grid, layout_of
from .operations import ATTENTION, PERMUTATIONS, RESHAPES, SUMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .recording import Call, Recording, Value

_CONVOLUTIONS = {f"conv{kind}{axes}d" for kind in ("", "_transpose") for axes in (1, 2, 3)}
_PRODUCTS = {"linear", "bilinear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "einsum"}
_WEIGHTED = _CONVOLUTIONS | _PRODUCTS
_MIXED = SUMS | {"layer_norm"}
_SHAPING = PERMUTATIONS | RESHAPES | {"__getitem__"}


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """A layer that can be dissected.

    Attributes:
        layer: the layer.
        rectified: whether its map is rectified.
        layout: how its map lies in its output, if that is unusual.
    """

    layer: Layer
    rectified: bool
    layout: Layout | None = None


class Layers:
    """The layers of one recorded forward pass.

    Args:
        recording: the pass.
        score: the value of the scores, if the network has other outputs too.
    """

    def __init__(self, recording: Recording, score: Value | None = None) -> None:
        self._recording = recording
        self._score = score or recording.score
        self._runs = Counter(call.name for call in recording.calls)
        self._calls = [call for call in recording.calls if self._runs[call.name] == 1 and self._grid(call.output)]

    def maps(self) -> list[FeatureMap]:
        """Every layer whose output has the shape of a map, in order of execution."""
        return [FeatureMap(self._layer(call), self._is_rectified(call)) for call in self._calls]

    def layouts(self, layers: Iterable[Layer]) -> dict[str, Layout | None]:
        """By layer, the layout of its output's map as the data flow shows it; ``None`` where only a trial can tell."""
        outputs = {call.name: call.output for call in self._calls if call.output}
        return {layer.name: _layout(outputs[layer.name]) for layer in layers}

    def usual(self, name: str) -> Layout | None:
        """The layout that the shape of a layer's output suggests."""
        value = next(call.output for call in self._calls if call.name == name)
        size = self._grid_by_shape(value) if value else None
        return layout_of(value.shape, size) if value and size else None

    def default(self) -> Layer:
        """The last rectified map before a weight.

        Raises:
            LayerNotFoundError: if there is none, or most of the network is behind it, or the image is too small for
                what is behind it.
        """
        self._require_room()
        before = self._before(_is_weighted)
        candidates = [value for value in reversed(self._recording.values) if value in before]
        attended = self._attended()
        rectified = (value for value in candidates if (value.is_map and value.rectified) or value in attended)
        chosen = self._first(rectified) or self._unrectified(candidates)
        if chosen is None:
            raise LayerNotFoundError(self._nothing())
        self._require_near_scores(chosen, attended)
        return self._layer(chosen)

    def named(self, name: str) -> Layer:
        """The layer of this name.

        Raises:
            LayerNotFoundError: if there is none, or it cannot be dissected.
        """
        for call in self._calls:
            if call.name == name:
                return self._layer(call)
        raise LayerNotFoundError(f"{self._problem(name)}; {self._offer(name)}")

    def _require_room(self) -> None:
        """Check that no kernel of several cells meets a map of one: its network's last maps have shrunk to nothing."""
        for value in self._before(lambda _: True):
            if value.parents and max(value.kernel, default=1) > 1 and value.parents[0].shape[2:] == (1, 1):
                height, width = self._recording.image.shape[2:]
                kernel = "x".join(map(str, value.kernel))
                raise LayerNotFoundError(
                    f"an image of {height}x{width} is too small for {self._recording.kind}: to the {kernel} "
                    f"convolution of {value.module!r} it is a single cell; give a larger --input-size, or name a layer "
                    "before that with --layer"
                )

    def _require_near_scores(self, chosen: Call, attended: set[Value]) -> None:
        """Check that no more weights mix what comes from a map's places than have made the map."""
        layer = chosen.output
        assert layer is not None
        if layer in attended:
            return
        way = self._before(lambda _: True)
        before, after = reached([layer], _parents), reached([layer], lambda value: value.children)
        mixing = [value for value in after & way if _is_weighted(value) and _has_places(value)]
        if len(mixing) > sum(map(_is_weighted, before)):
            raise LayerNotFoundError(
                f"{self._recording.kind} has no feature map near its scores: after {chosen.name!r}, its last one, "
                f"{len(mixing)} layers mix the image's places in other shapes; name a layer with --layer"
            )

    def _first(self, values: Iterable[Value]) -> Call | None:
        """The run that gives the first value that a module gives, or that an activation makes of a module's output."""
        for value in values:
            call = self._giving(value) or (self._giving(value.parents[0]) if value.rectified else None)
            if call:
                return call
        return None

    def _unrectified(self, candidates: list[Value]) -> Call | None:
        return self._first(value for value in candidates if value.is_map and "pool" not in value.operation)

    def _attended(self) -> set[Value]:
        """The sums of a network that works by attention, as far as the scores use their patches."""
        if not any(map(_is_attention, self._recording.values)):
            return set()
        return {value for value in self._before(_is_mixing) if _origin(value) in _MIXED and self._grid(value)}

    def _giving(self, value: Value) -> Call | None:
        """The outermost module that makes a value without taking the image, or else one that takes the image."""
        calls = [call for call in self._calls if call.output is value and value not in call.inputs]
        inner = [call for call in calls if not any(map(self._is_image, call.inputs))]
        return inner[-1] if inner else next(iter(calls), None)

    def _is_image(self, value: Value) -> bool:
        """Whether a value is the image, or a recolouring of it."""
        return value.shape == self._recording.image.shape

    def _layer(self, call: Call) -> Layer:
        size = self._grid(call.output)
        assert call.output is not None
        assert size is not None
        return Layer(call.name, *size, self._rectifier(call.output))

    def _grid(self, value: Value | None) -> tuple[int, int, int] | None:
        """Units, height and width of the map that a value holds."""
        if value is None or not value.floating or (value.places and value.places.is_nowhere):
            return None
        if value.places and (layout := value.places.layout):
            return value.shape[layout.axis], *value.places.grid
        return self._grid_by_shape(value)

    def _grid_by_shape(self, value: Value) -> tuple[int, int, int] | None:
        height, width = self._recording.image.shape[2:]
        return grid(value.shape, value.channels, (height, width))

    def _rectifier(self, value: Value) -> str:
        """The function that rectifies a value before anything else uses it, unless a module that can be tapped does."""
        if len(value.children) != 1 or value.children[0].operation not in RECTIFIERS:
            return ""
        rectified = value.children[0]
        by_module = any(call.output is rectified and value in call.inputs for call in self._calls)
        return "" if by_module else rectified.operation

    def _is_rectified(self, call: Call) -> bool:
        assert call.output is not None
        return call.output.rectified or bool(self._rectifier(call.output))

    def _before(self, counts: Callable[[Value], bool]) -> set[Value]:
        """The values with an operation that counts on their way to the scores."""
        way = reached([self._score] if self._score else [], _parents)
        return reached((parent for value in way if counts(value) for parent in value.parents), _parents)

    def _nothing(self) -> str:
        several = sorted(name for name, runs in self._runs.items() if runs > 1)
        reason = f" (a layer that runs several times, such as {several[0]!r}, has no single map)" if several else ""
        return f"{self._recording.kind} has no feature map before its last weights{reason}; {self._offer('')}"

    def _problem(self, name: str) -> str:
        kind, calls = self._recording.kind, [call for call in self._recording.calls if call.name == name]
        if name not in self._recording.modules:
            return f"{kind} has no layer {name!r}"
        if not calls:
            return f"layer {name!r} of {kind} does not run in a forward pass"
        if len(calls) > 1:
            return (
                f"layer {name!r} of {kind} runs {len(calls)} times in a forward pass, so its units have no single map"
            )
        return f"layer {name!r} of {kind} gives {_described(calls[0].output)}, not a feature map"

    def _offer(self, name: str) -> str:
        """The usable layers, only rectified ones if there are any: those with similar names, then the last ones."""
        before = self._before(_is_weighted)
        usable = [call for call in self._calls if call.output in before or self._score is None]
        names = [call.name for call in [call for call in usable if self._is_rectified(call)] or usable]
        offered = list(dict.fromkeys(get_close_matches(name, names, n=6, cutoff=0.5) + names[::-1]))[:6]
        return (
            f"choose one of the layers with units: {', '.join(offered)}"
            if offered
            else "it has no layers with units: give a convolutional network or a vision transformer"
        )


def _layout(value: Value) -> Layout | None:
    return value.places.layout if value.places else None


def _origin(value: Value) -> str:
    """The operation that made a value, before any reshaping."""
    while value.operation in _SHAPING:
        value = value.parents[0]
    return value.operation


def _parents(value: Value) -> tuple[Value, ...]:
    return value.parents


def _has_places(value: Value) -> bool:
    """Whether a value has more axes than one of features."""
    return sum(length > 1 for length in value.shape) > 1


def _is_weighted(value: Value) -> bool:
    return value.operation in _WEIGHTED


def _is_mixing(value: Value) -> bool:
    """Whether an operation mixes all patches."""
    return _is_attention(value) or value.operation == "mean" or "pool" in value.operation


def _is_attention(value: Value) -> bool:
    return value.operation in ATTENTION or (value.operation == "softmax" and len(value.shape) > 2)


def _described(value: Value | None) -> str:
    if value is None:
        return "no tensor of the image"
    return f"a tensor of {'x'.join(map(str, value.shape)) or 'scalar'}"
