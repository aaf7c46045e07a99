"""Contrastive marginal winning probability, c-MWP: Excitation Backprop of Zhang et al. 2016.

A signal is handed down from the score. At each layer that sums activations, a neuron divides its signal among the
neurons that excite it, in proportion to their shares (their Eq. 4)::

    P(a_j) = sum_i P(a_i) a_j w+_ij / sum_j' a_j' w+_ij'         with w+ = max(w, 0)

The bias takes no part; a neuron that nothing excites hands nothing on. Max-pooling hands everything to its winner, a
ReLU to its input. Average pooling and sums are such layers with positive weights. Batch normalisation in evaluation
mode, which Zhang et al. do not cover, is part of the convolution that it follows: its slope multiplies the
convolution's weights, and only the slope's sign matters after the division. After any other layer it has one input,
which gets everything if it excites. All other operations are refused.

The classifier, the last layer with weights, hands on the difference between the signals for ``w`` and for ``-w``: the
evidence for the class, less the evidence for "not this class" (their Sec. 3.4). The map is the sum over the tapped
layer's units, where it is positive. Each of the two signals sums to what arrived at the classifier, so if it is a
convolution of one cell, as in SqueezeNet, the sum over that cell's units is 0: an earlier layer must be explained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from dissection.errors import NetworkError
from dissection.networks.operations import operation

from .gradcam import like_images
from .rectifiers import Rectifiers
from .trace import traced_under

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import nn

    from dissection.networks.network import Network

    from .rectifiers import Slope
    from .targets import Target

_WEIGHTED = frozenset(("conv1d", "conv2d", "conv3d", "linear"))
_POOLINGS = frozenset((*(f"{kind}avg_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3)), "mean", "sum"))
_SUMS = frozenset(("add", "__add__", "__radd__", "__iadd__"))
_HANDING_ON = frozenset(
    (
        *(f"{kind}max_pool{axes}d" for kind in ("", "adaptive_") for axes in (1, 2, 3)),
        *("relu", "relu6", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
        *("flatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose", "contiguous", "clone", "to"),
        *("cat", "concat", "concatenate", "chunk", "split", "__getitem__", "__get__"),
    )
)

Connect = Callable[[Tensor], Tensor]


def excitation(
    network: Network, images: Float[Tensor, "images channels H W"], target: Target
) -> Float[Tensor, "images 1 H W"]:
    """The c-MWP map at the network's layer: a forward pass, and a backward pass of the head that reruns its layers.

    Raises:
        NetworkError: if anything but the layers of a plain convolutional network lies between layer and score, or only
            a classifier that reads the layer cell by cell.
    """
    signal = Excitation(network.module)
    trace = traced_under(signal, network, images, target)
    (winning,) = trace.gradients(trace.activation)
    if signal.read_by_cell is not None and torch.equal(signal.read_by_cell.to(trace.activation), trace.activation):
        raise NetworkError(
            f"c-MWP is 0 at {network.layer.name!r}: the classifier reads it cell by cell, so that evidence for a class "
            "and against it cancels out; explain an earlier layer, or choose grad-cam"
        )
    return like_images(winning.sum(1).relu(), trace.images)


class Excitation(Rectifiers):
    """Makes the layers of a forward pass hand winning probabilities down instead of gradients.

    Args:
        module: the network.
        contrast: whether the classifier subtracts what its negated weights hand down.

    Attributes:
        read_by_cell: after the backward pass, the classifier's input, if it is a convolution of one cell over several.
    """

    method = "c-MWP is defined for convolutional networks of ReLUs, poolings, sums and batch normalisations"

    def __init__(self, module: nn.Module, *, contrast: bool = True) -> None:
        super().__init__(module)
        self.rule = _handed_on
        self.contrast_is_due = contrast
        self.read_by_cell: Tensor | None = None
        self._layers = WeakTensorKeyDictionary()

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function returns
        kwargs = dict(kwargs or {})
        args = (kwargs.pop("input"), *args) if "input" in kwargs else args
        if not any(map(_is_followed, args)):
            return func(*args, **kwargs)
        name = operation(func, args, kwargs)
        if name in _WEIGHTED:
            return self._weighted(func, args, kwargs)
        if name in _POOLINGS:
            return _Layer.apply(args[0], _Pooling(lambda values: func(values, *args[1:], **kwargs)))
        if name == "batch_norm":
            return self._normalised(
                args[0], func(*args, **kwargs).detach(), args[3] if len(args) > 3 else kwargs.get("weight")
            )
        if name in _SUMS and all(isinstance(arg, Tensor) for arg in args) and not kwargs:
            total = _Sum.apply(*args)
            return args[0].copy_(total) if func.__name__ in {"add_", "__iadd__"} else total
        result = super().__torch_function__(func, types, args, kwargs)
        if name not in _HANDING_ON | _SUMS and _is_followed(result):
            raise self.undefined(name)
        return result

    def _weighted(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        arguments = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
        values, weight, bias = arguments.pop("input"), arguments.pop("weight"), arguments.pop("bias", None)
        layer = _Weighted(lambda a, w, b=None: func(a, w, b, *args[3:], **arguments), weight.detach(), bias, self)
        result: Tensor = _Layer.apply(values, layer)
        self._layers[result] = layer
        return result

    def _normalised(self, values: Tensor, result: Tensor, slope: Tensor | None) -> Tensor:
        sign = values.new_ones(1) if slope is None else slope.detach().sign()
        exciting = None
        if values in self._layers:
            layer = self._layers[values]
            layer.weight = layer.weight * sign.view(-1, *[1] * (layer.weight.ndim - 1))
        else:
            exciting = sign.view(1, -1, *[1] * (values.ndim - 2)) > 0
        normalised: Tensor = _Normalisation.apply(values, result, exciting)
        return normalised


@dataclass(slots=True, eq=False)
class _Pooling:
    """A layer of fixed positive weights."""

    run: Connect

    def hand_down(self, values: Tensor, flow: Tensor) -> Tensor:
        return _shares(values, flow, self.run)


@dataclass(slots=True, eq=False)
class _Weighted:
    """A layer with weights, some of whose signs batch normalisation may flip."""

    connect: Callable[..., Tensor]
    weight: Tensor
    bias: Tensor | None
    excitation: Excitation

    def run(self, values: Tensor) -> Tensor:
        return self.connect(values, self.weight, self.bias)

    def hand_down(self, values: Tensor, flow: Tensor) -> Tensor:
        weight = self.weight.to(values.dtype)  # which mixed precision may have rounded
        won = _shares(values, flow, partial(self.connect, w=weight.clamp(min=0)))
        if self.excitation.contrast_is_due:  # the first layer with weights that the signal reaches
            self.excitation.contrast_is_due = False
            self.excitation.read_by_cell = values if self.weight[0, 0].numel() == 1 < values[0, 0].numel() else None
            won = won - _shares(values, flow, partial(self.connect, w=(-weight).clamp(min=0)))
        return won


def _shares(values: Tensor, flow: Tensor, excite: Connect) -> Tensor:
    """Eq. 4 of Zhang et al. for a layer whose excitation ``excite`` computes."""
    with torch.enable_grad():
        parents = values.detach().clamp(min=0).requires_grad_()
        total = excite(parents)
        (back,) = torch.autograd.grad(total, parents, torch.where(total > 0, flow / total, 0))
    return parents.detach() * back


class _Layer(torch.autograd.Function):
    """A layer whose backward pass hands winning probabilities down."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, layer: _Pooling | _Weighted) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(values)
        ctx.layer = layer
        return layer.run(values)

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (values,) = ctx.saved_tensors
        return ctx.layer.hand_down(values, flows[0]), None


class _Sum(torch.autograd.Function):
    """A sum, whose terms share in proportion to their positive parts."""

    @staticmethod
    def forward(ctx: Any, *terms: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(*(term.clamp(min=0) for term in terms))
        return terms[0] + terms[1]

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        terms = ctx.saved_tensors
        total = terms[0] + terms[1]
        flow_per_activation = torch.where(total > 0, flows[0] / total, 0)
        return tuple((flow_per_activation * term).sum_to_size(term.shape) for term in terms)


class _Normalisation(torch.autograd.Function):
    """A batch normalisation, which hands all on as part of the layer before it, or else only where it excites."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, result: Tensor, exciting: Tensor | None) -> Tensor:  # noqa: ANN401
        if exciting is not None:
            ctx.save_for_backward((values > 0) & exciting)
        return result.clone()

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return (flows[0] * ctx.saved_tensors[0] if ctx.saved_tensors else flows[0]), None, None


def _handed_on(flow: Tensor, _slope: Slope) -> Tensor:
    return flow


def _is_followed(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_is_followed, value))
    return isinstance(value, Tensor) and value.requires_grad and torch.is_grad_enabled()
