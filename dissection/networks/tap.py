"""Reads a layer's feature map while a network runs, and leaves the network as it was.

::

    with Tap(module, layer) as tap:
        module(images)
    tap.output  # (images, units, h, w)

What a hook is handed may be overwritten right after by an in-place ReLU, so the network goes on with a copy and the tap
keeps the original. A :class:`Cut` also makes the map the leaf of what follows: nothing before it is recorded by
autograd, so that a gradient reaches the map and stops there, and no parameter's ``.grad`` is touched.

Some networks rectify a module's output by calling ``F.relu`` on it. Then the tap waits for that call and keeps its
result. To rectify in the hook instead would leave the network's own ReLU after the tap, and its slope of 0 at 0 in the
gradient.

Maps with channels last and tokens are read as ``(images, units, h, w)``, see :mod:`dissection.networks.map_layouts`.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from dissection.errors import ActivationError, LayerNotFoundError

from .map_layouts import read, written
from .operations import operation
from .precision import arithmetic, laid_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jaxtyping import Float

    from dissection.vocabulary import Layer

    from .heads import Given
    from .network import Network

RECTIFIERS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "relu6": F.relu6}

_LOCKS: WeakKeyDictionary[nn.Module, RLock] = WeakKeyDictionary()
_LOCKS_LOCK = RLock()


class Tap:
    """Keeps the rectified output of one layer for the length of a ``with`` block, which runs the network once.

    Raises:
        ActivationError: if the map is not of the shape that the layer had when the network was opened.
        LayerNotFoundError: if the layer does not run, runs twice, or its output is no feature map.
    """

    def __init__(self, module: nn.Module, layer: Layer) -> None:
        self._module = module.get_submodule(layer.name)
        self._layer = layer
        self._output: Tensor | None = None

    @property
    def output(self) -> Float[Tensor, "images units h w"]:
        """The feature map ``A`` of the last forward pass.

        Raises:
            LayerNotFoundError: if there was none.
        """
        if self._output is None:
            raise LayerNotFoundError(
                f"layer {self._layer.name!r} did not run in the forward pass; choose another layer"
            )
        return self._output

    def __enter__(self) -> Self:
        self._open = ExitStack()
        handle = self._module.register_forward_hook(self._hook)
        self._open.callback(handle.remove)
        if self._layer.rectifier:
            self._call = self._open.enter_context(_Call(RECTIFIERS[self._layer.rectifier], self._take))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _hook(self, _module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim not in {3, 4}:
            found = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise LayerNotFoundError(
                f"layer {self._layer.name!r} gives {found}; a feature map (images, units, h, w) is needed"
            )
        if self._layer.rectifier:
            self._call.awaited = output
            return output
        return self._take(output)

    def _take(self, output: Tensor) -> Tensor:
        layer = self._layer
        if self._output is not None:
            raise LayerNotFoundError(
                f"layer {layer.name!r} runs more than once in a forward pass; choose a layer that runs once"
            )
        maps = read(output, layer)
        if maps is None:
            wanted = (layer.units, layer.height, layer.width)
            raise ActivationError(
                f"layer {layer.name!r} gives maps of shape {tuple(output.shape[1:])}, not {wanted} as when "
                "the network was opened; open it with the input size that it is run at"
            )
        self._output = self._keep(maps)
        return written(self._output, output).clone()

    def _keep(self, output: Tensor) -> Tensor:
        return output


class _Call(TorchFunctionMode):
    """Waits for the function that rectifies ``awaited``, and lets ``take`` see the result."""

    def __init__(self, rectify: Callable[[Tensor], Tensor], take: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.awaited: Tensor | None = None
        self._rectify = rectify
        self._take = take

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        if (
            self.awaited is not None
            and args
            and args[0] is self.awaited
            and operation(func, args, kwargs) in RECTIFIERS
        ):
            awaited, self.awaited = self.awaited, None
            return self._take(self._rectify(awaited))
        return func(*args, **kwargs)


class Cut(Tap):
    """A tap whose map is a leaf that what follows can be differentiated by. Enter it under ``torch.no_grad()``.

    Of several cuts the first that the network reaches is the leaf; the later ones depend on it.
    """

    def _keep(self, output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        wide = widened(output)
        return wide if wide.requires_grad else wide.detach().requires_grad_()


class Graft(Cut):
    """A cut after which the network goes on with other maps than its own."""

    def __init__(self, module: nn.Module, layer: Layer, maps: Float[Tensor, "images units h w"]) -> None:
        super().__init__(module, layer)
        self._maps = maps

    def _keep(self, output: Tensor) -> Tensor:
        return super()._keep(self._maps.to(output))


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One forward pass.

    Attributes:
        scores: logits; differentiable by the activations.
        activations: the rectified feature map ``A`` of each tapped layer.
    """

    scores: Float[Tensor, "images classes"]
    activations: tuple[Float[Tensor, "images units h w"], ...]

    @property
    def activation(self) -> Float[Tensor, "images units h w"]:
        """The feature map of the only tapped layer."""
        (activation,) = self.activations
        return activation

    def check(self, network: Network, names: Sequence[str]) -> None:
        """See that every map of the only tapped layer is finite; ``names`` are the images'.

        Raises:
            ActivationError: naming the first image that fails.
        """
        check_finite(self.activation.detach().isfinite().flatten(1).all(1).tolist(), network.layer, names)


def check_finite(finite: Sequence[bool], layer: Layer, names: Iterable[str]) -> None:
    """Raise an ``ActivationError`` that names the first image whose map of a layer is not finite."""
    for name, is_finite in zip(names, finite, strict=True):
        if not is_finite:
            raise ActivationError(
                f"layer {layer.name!r} gives a NaN or an infinity for {name}; check the weights, the preprocessing "
                "(--mean, --std) and that photograph"
            )


def forward(network: Network, images: Float[Tensor, "images channels H W"]) -> Pass:
    """Run the body without autograd and the head, after the network's layer, with it: the cost of a forward pass.

    Raises:
        ActivationError: if the map is not of the shape that the layer had when the network was opened.
        NetworkError: if the network gives anything but one row of scores per image.
    """
    return forward_through(network, [network.layer], images)


def forward_through(network: Network, layers: Sequence[Layer], images: Float[Tensor, "images channels H W"]) -> Pass:
    """Run the network once and read several layers; autograd begins at the first of them.

    Raises:
        ActivationError: if a map is not of the shape that its layer had when the network was opened.
        NetworkError: if the network gives anything but one row of scores per image.
    """
    given, activations = outputs_through(network, layers, images)
    return Pass(scores_of(network, given, len(images)), activations)


def outputs_through(
    network: Network, layers: Sequence[Layer], images: Float[Tensor, "images _ H W"]
) -> tuple[Given, tuple[Float[Tensor, "images _ _ _"], ...]]:
    """Whatever the network gives, and the maps of several layers.

    Autograd begins at the images where these require a gradient, and at the first of the layers otherwise.

    Raises:
        ActivationError: if a map is not of the shape that its layer had when the network was opened.
    """
    cuts = [Cut(network.module, layer) for layer in layers]
    return _run(network, cuts, images), tuple(cut.output for cut in cuts)


def forward_from(network: Network, maps: Float[Tensor, "images units h w"]) -> Pass:
    """What the network's head makes of feature maps that need not come from any image.

    Raises:
        NetworkError: if the network gives anything but one row of scores per image.
    """
    preprocessing = network.preprocessing
    blank = torch.zeros(len(maps), preprocessing.channels, *preprocessing.size)
    graft = Graft(network.module, network.layer, maps)
    given = _run(network, [graft], blank)
    return Pass(scores_of(network, given, len(maps)), (graft.output,))


def scores_of(network: Network, given: Given, images: int) -> Float[Tensor, "images classes"]:
    """The scores in what a network gave, in single precision at least.

    Raises:
        NetworkError: if there is anything but one row of scores per image.
    """
    return widened(network.head.scores(given, images))


def _run(network: Network, cuts: Sequence[Cut], images: Float[Tensor, "images channels H W"]) -> Given:
    device = network.device
    with ExitStack() as running:
        running.enter_context(undisturbed(network.module))
        running.enter_context(arithmetic(network.precision, device))
        running.enter_context(torch.set_grad_enabled(images.requires_grad))
        for cut in cuts:
            running.enter_context(cut)
        return network.head.run(network.module, laid_out(images.to(device, non_blocking=True), network.precision))


def widened(values: Tensor) -> Tensor:
    """The same values in single precision at least: so are alphas and thresholds."""
    return values.float() if values.dtype in {torch.bfloat16, torch.float16} else values


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Alone with the module, in evaluation mode; every submodule's mode is as before afterwards.

    Hooks are not thread-safe, so whoever runs the same module waits.
    """
    with _lock(module):
        training = [part for part in module.modules() if part.training]
        for part in training:
            part.training = False
        try:
            yield
        finally:
            for part in training:
                part.training = True


def _lock(module: nn.Module) -> RLock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(module, RLock())
