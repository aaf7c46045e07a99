"""The body of a network, which is all that its layer's map is computed from, and a fingerprint of it.

Networks that answer questions or write captions differ in what follows the layer from question to question; the names
of its units do not. So their runs are known by their bodies: the weights, buffers and modules that the map depends on
in one forward pass, wherever in the network they lie.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.fx import Graph
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from .isolation import tried
from .recording import noise, tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    from dissection.vocabulary import Layer

    from .map_layouts import Layout
    from .preprocessing import Preprocessing

_SETTINGS = (
    *("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "ceil_mode", "output_size"),
    *("eps", "negative_slope", "alpha", "approximate", "min_val", "max_val"),
    *("activation_of_features", "features_at_a_place"),
)
"""Settings that change a standard module's output without being weights."""


_ONLY_MOVED = frozenset({"clone", "contiguous", "cpu", "cuda", "detach", "float", "requires_grad_", "to", "type"})
"""Functions that leave an image as it is, but for its type."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a value is computed from.

    Attributes:
        tensors: names of parameters and buffers.
        modules: names of modules.
        operations: what was done to the image before it met any of those: a network may prepare it once more.
    """

    tensors: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()

    def __or__(self, other: Sources) -> Sources:
        return Sources(self.tensors | other.tensors, self.modules | other.modules, self.operations | other.operations)


def body_fingerprint(module: nn.Module, preprocessing: Preprocessing, layer: Layer, layout: Layout | None) -> str:
    """sha256 over what the layer's map is computed from; the same on every device, and whatever else the network does.

    Names count from the innermost module that holds all of it, so that a body has the same fingerprint in a classifier
    and inside a captioner.
    """
    sources = sources_of(module, preprocessing, layer.name)
    prefix = _common([*sources.modules, *sources.tensors, layer.name])
    named_tensors = dict(chain(module.named_parameters(), module.named_buffers()))
    digest = hashlib.sha256()
    for line in chain(
        [f"body {layer.name.removeprefix(prefix)} {layer.rectifier} {layout.order if layout else ''}"],
        (f"{name.removeprefix(prefix)} {described(module.get_submodule(name))}" for name in sorted(sources.modules)),
        (str(part.graph) for part in module.modules() if isinstance(getattr(part, "graph", None), Graph)),
        sorted(sources.operations),
    ):
        digest.update(f"{line}\n".encode())
    for name in sorted(sources.tensors):
        tensor = named_tensors[name]
        digest.update(f"{name.removeprefix(prefix)} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(content(tensor))
    return digest.hexdigest()


def sources_of(module: nn.Module, preprocessing: Preprocessing, layer: str) -> Sources:
    """What the output of a layer is computed from, in one run on noise."""
    of_map, _ = _sources(module, preprocessing, layer, module)
    return of_map


def tensors_behind(
    module: nn.Module, preprocessing: Preprocessing, layer: str, scores: Callable[[Tensor], object]
) -> frozenset[str]:
    """Names of the parameters and buffers that scores are computed from, and the output of a layer is not.

    They count wherever they run: a question may be read before the layer has seen the image.

    Args:
        module: the network.
        preprocessing: what it expects of a photograph.
        layer: name of the layer.
        scores: runs the module on images.
    """
    of_map, of_scores = _sources(module, preprocessing, layer, scores)
    return of_scores.tensors - of_map.tensors


def _sources(
    module: nn.Module, preprocessing: Preprocessing, layer: str, run: Callable[[Tensor], object]
) -> tuple[Sources, Sources]:
    """What the output of a layer, and what a run of the module on noise gives, are computed from."""
    image, of_map = noise(module, preprocessing), Sources()
    watch = _Watch(module, image)

    def reached(_part: nn.Module, _args: object, output: object) -> None:
        nonlocal of_map
        of_map = watch.of(output)

    with tried(module), ExitStack() as hooks:
        # Hooks that come first see what the module gives; of these, that of the layer comes last.
        hooks.callback(module.get_submodule(layer).register_forward_hook(reached, prepend=True).remove)
        for name, part in module.named_modules():
            if name:
                begins = part.register_forward_pre_hook(watch.begins, with_kwargs=True)
                ends = part.register_forward_hook(partial(watch.ends, name), prepend=True)
                hooks.callback(begins.remove)
                hooks.callback(ends.remove)
        with watch:
            output = run(image)
        return of_map, watch.of(output)


def described(part: nn.Module) -> str:
    """A module's kind, with the settings that no weight shows: a slope, a stride."""
    settings = {key: value for key in _SETTINGS if (value := getattr(part, key, None)) is not None}
    plain = {key: value for key, value in settings.items() if isinstance(value, (int, float, str, tuple))}
    return f"{type(part).__name__} {plain}"


def content(tensor: Tensor) -> bytes:
    """A tensor's numbers, as they lie in memory."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


class _Watch(TorchFunctionMode):
    """Follows which parameters, buffers and modules each tensor comes from, whether or not it comes from the image."""

    def __init__(self, module: nn.Module, image: Tensor) -> None:
        super().__init__()
        self._images = WeakTensorKeyDictionary({image: None})
        self._views: MutableMapping[Tensor, Sources] = WeakTensorKeyDictionary()
        self._known: MutableMapping[Tensor, Sources] = WeakTensorKeyDictionary()
        self._started: list[Sources] = []
        for name, tensor in chain(module.named_parameters(), module.named_buffers()):
            self._add(tensor, Sources(frozenset([name])))

    def of(self, things: object) -> Sources:
        """What all tensors among things come from."""
        return _joined(
            self._known.get(_root(tensor), Sources()) | self._views.get(tensor, Sources()) for tensor in tensors(things)
        )

    def begins(self, _part: nn.Module, args: object, kwargs: object) -> None:
        """Note what a module is given, since it may overwrite it."""
        self._started.append(self.of((args, kwargs)))

    def ends(self, name: str, part: nn.Module, _args: object, output: object) -> None:
        """Note that what a module gives comes from it. What it computed out of sight comes from all that it had."""
        inputs = self._started.pop()
        for tensor in tensors(output):
            if _root(tensor) not in self._known:
                self._add(tensor, inputs | self.of([*part.parameters(), *part.buffers()]))
            self._add(tensor, Sources(modules=frozenset([name])))

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        sources = self.of((args, kwargs))
        is_of_image = not (sources.tensors or sources.modules) and any(map(self._is_image, tensors([args, kwargs])))
        result = func(*args, **kwargs)
        if is_of_image and isinstance(result, Tensor):
            if func.__name__ not in _ONLY_MOVED:
                sources |= Sources(operations=frozenset([self._operation(func.__name__, args, kwargs)]))
            if _is_view(result, args):  # what is done to a part of the image is not done to the image
                self._views[result] = sources
                return result
            self._images[_root(result)] = None
        written = [args[0]] if args and result is None else []  # __setitem__ and its like
        for tensor in tensors([result, written]):
            self._add(tensor, sources)
        return result

    def _is_image(self, tensor: Tensor) -> bool:
        return _root(tensor) in self._images

    def _operation(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """A function of the image, with what else it was given: constants, by their content."""
        return " ".join([name, *map(self._argument, args), *(f"{key}={self._argument(kwargs[key])}" for key in kwargs)])

    def _argument(self, argument: object) -> str:
        if not isinstance(argument, Tensor):
            return repr(argument)
        return "image" if self._is_image(argument) else hashlib.sha256(content(argument)).hexdigest()

    def _add(self, tensor: Tensor, sources: Sources) -> None:
        """A view and what it is a view of are one: what is written to either is in both."""
        root = _root(tensor)
        self._known[root] = self._known.get(root, Sources()) | sources


def _is_view(result: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether a function gave a view of what it was given, and not the same tensor."""
    return _root(result) is not result and not any(result is argument for argument in args)


def _root(tensor: Tensor) -> Tensor:
    base: Tensor | None = tensor._base  # noqa: SLF001 -- there is no other way to see it
    return tensor if base is None else base


def _joined(sources: Iterable[Sources]) -> Sources:
    joined = Sources()
    for one in sources:
        joined |= one
    return joined


def _common(names: Iterable[str]) -> str:
    """The path, with its dot at the end, of the innermost module that holds everything of these names."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    shared = takewhile(lambda parts: len(set(parts)) == 1, levels)
    return "".join(f"{parts[0]}." for parts in shared)
