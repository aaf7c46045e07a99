"""Reads a layer's feature map while a network runs, and leaves the network as it was.

::

    with Tap(module, layer) as tap:
        module(images)
    tap.output  # (images, units, h, w)

An in-place ReLU may overwrite a module's output right after the hook, so the network continues with a copy and the tap
keeps the original. A :class:`Cut` also makes the map the leaf of what follows: autograd records nothing before it (see
:class:`Body`), so a gradient reaches the map and stops there, and no parameter's ``.grad`` is touched.

Some networks rectify a module's output by calling ``F.relu`` on it. Then the tap waits for that call and keeps its
result. Rectifying in the hook instead would leave the network's ReLU after the tap, and its slope of 0 at 0 in the
gradient.

A network's own forward hooks run after the tap's, on what it continues with: some networks collect features by hooks
and compute their scores from those, as LLaVA does.

Maps with channels last and tokens are read as ``(images, units, h, w)``, see :mod:`dissection.networks.map_layouts`.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dissection.errors import ActivationError, LayerNotFoundError

from .map_layouts import read, written
from .operations import RECTIFY, operation
from .precision import widened

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import nn

    from dissection.vocabulary import Layer

    from .map_layouts import Layout


class Tap:
    """Keeps the rectified output of one layer for the length of a ``with`` block, which runs the network once.

    Raises:
        ActivationError: if the map's shape is not the same as when the network was opened.
        LayerNotFoundError: if the layer does not run, runs twice, or its output is not a feature map.
    """

    def __init__(self, module: nn.Module, layer: Layer, layout: Layout | None = None) -> None:
        self._module = module.get_submodule(layer.name)
        self._layer = layer
        self._layout = layout
        self._output: Tensor | None = None

    @property
    def output(self) -> Float[Tensor, "images units h w"]:
        """The feature map ``A`` of the last forward pass.

        Raises:
            LayerNotFoundError: if the layer did not run.
        """
        if self._output is None:
            raise LayerNotFoundError(
                f"layer {self._layer.name!r} did not run in the forward pass; choose another layer"
            )
        return self._output

    def __enter__(self) -> Self:
        self._open = ExitStack()
        handle = self._module.register_forward_hook(self._hook, prepend=True)
        self._open.callback(handle.remove)
        if self._layer.rectifier:
            self._call = self._open.enter_context(_Call(RECTIFY[self._layer.rectifier], self._take))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _hook(self, _module: nn.Module, _inputs: object, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim not in {3, 4}:
            kind = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise LayerNotFoundError(
                f"layer {self._layer.name!r} gives {kind}; a feature map (images, units, h, w) is needed"
            )
        if self._layer.rectifier:
            self._call.awaited = output
            return output
        return self._take(output)

    def _take(self, output: Tensor) -> Tensor:
        if output.is_inference():  # autograd can record nothing of it, but of a copy
            with torch.inference_mode(mode=False):
                return self._take(output.clone())
        layer = self._layer
        if self._output is not None:
            raise LayerNotFoundError(
                f"layer {layer.name!r} runs more than once in a forward pass; choose a layer that runs once"
            )
        maps = read(output, layer, self._layout)
        if maps is None:
            size = (layer.units, layer.height, layer.width)
            raise ActivationError(
                f"layer {layer.name!r} gives maps of shape {tuple(output.shape[1:])}, not {size} as when the network "
                "was opened; open it with the input size that it is run at"
            )
        self._output = self._keep(maps)
        return written(self._output, output, self._layout).to(output.dtype, copy=True)

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
        if self.awaited is not None and args and args[0] is self.awaited and operation(func, args, kwargs) in RECTIFY:
            awaited, self.awaited = self.awaited, None
            return self._take(self._rectify(awaited))
        return func(*args, **kwargs)


class Body:
    """What runs before the layer, without autograd until :meth:`end`; for networks that leave autograd's switch alone.

    Whoever enters it restores the switch. Enter it before everything else that watches the network.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_running = True

    def end(self) -> bool:
        """Let autograd record what follows; returns whether it did not yet."""
        was_running, self._is_running = self._is_running, False
        return was_running

    def __enter__(self) -> Self:
        torch.set_grad_enabled(not self._is_running)
        return self

    def __exit__(self, *_: object) -> None:
        pass


class GuardedBody(Body, TorchFunctionMode):
    """A body of any network, which finds autograd switched on while its functions run without.

    So a block of the network under ``torch.no_grad`` that holds the layer ends with autograd on, as it would if the
    network ran alone, and what follows can be differentiated. Each function takes some 20 microseconds longer.

    Attributes:
        is_needed: whether some function found autograd switched off, so that the network uses the switch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_needed = False

    def __enter__(self) -> Self:
        torch.set_grad_enabled(True)
        TorchFunctionMode.__enter__(self)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: object) -> None:
        TorchFunctionMode.__exit__(self, *exception)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        if func is _SWITCH:
            return func(*args, **(kwargs or {}))
        is_recording = torch.is_grad_enabled()
        self.is_needed |= not is_recording
        if not self._is_running:
            return func(*args, **(kwargs or {}))
        _SWITCH(False)  # noqa: FBT003 -- torch.no_grad costs twice as much for each function
        try:
            return func(*args, **(kwargs or {}))
        finally:
            _SWITCH(is_recording)


_SWITCH = torch._C._set_grad_enabled  # noqa: SLF001 -- what torch.no_grad and its relatives call


class Cut(Tap):
    """A tap whose map is a leaf, by which all that follows can be differentiated. Enter it after its :class:`Body`.

    Of several cuts of one body the first that the network reaches is the leaf; the later ones depend on it.
    """

    def __init__(self, module: nn.Module, layer: Layer, layout: Layout | None, body: Body) -> None:
        super().__init__(module, layer, layout)
        self._body = body

    def _keep(self, output: Tensor) -> Tensor:
        wide = widened(output)
        if self._body.end():
            wide = wide.detach()
        torch.set_grad_enabled(True)
        return wide if wide.requires_grad else wide.detach().requires_grad_()


class Graft(Cut):
    """A cut after which the network continues with maps from elsewhere."""

    def __init__(
        self,
        module: nn.Module,
        layer: Layer,
        layout: Layout | None,
        body: Body,
        maps: Float[Tensor, "images units h w"],
    ) -> None:
        super().__init__(module, layer, layout, body)
        self._maps = maps

    def _keep(self, output: Tensor) -> Tensor:
        return super()._keep(self._maps.to(output))
