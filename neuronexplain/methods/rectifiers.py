"""How a gradient passes a ReLU: by the ReLU's derivative, or by a visualisation's rule.

With ``flow`` the gradient that arrives at a ReLU's output and ``slope`` its derivative::

    gradient       slope(flow)                to where the input is positive
    guided         slope(max(flow, 0))        Springenberg et al. 2014
    deconvolution  max(flow, 0)               Zeiler and Fergus 2014

(Selvaraju et al. 2019, App. B, 2.3.) :class:`Rectifiers` watches a forward pass. For each ``nn.ReLU``, ``F.relu``,
``tensor.relu_()``, ReLU6 and clamp from 0 it puts a ReLU of the same values into the graph, whose rule can be chosen
when the graph is differentiated: one forward pass serves several rules. Everything else keeps its derivative: a
max-pooling sends the gradient to its winner, as deconvolution's switches do, and a sum to all its terms. So does a ReLU
that is written as arithmetic, such as ``x * (x > 0)``, since it cannot be told from other products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from dissection.errors import NetworkError
from dissection.networks.operations import ACTIVATIONS, operation
from dissection.networks.recording import is_activation

if TYPE_CHECKING:
    from jaxtyping import Float

Slope = Callable[["Float[Tensor, '*shape']"], "Float[Tensor, '*shape']"]
Rule = Callable[["Float[Tensor, '*shape']", Slope], "Float[Tensor, '*shape']"]

_CEILINGS = {"relu": inf, "relu6": 6.0}
_OTHERS = ACTIVATIONS - _CEILINGS.keys()


def gradient(flow: Float[Tensor, "*shape"], slope: Slope) -> Float[Tensor, "*shape"]:
    """The derivative."""
    return slope(flow)


def guided(flow: Float[Tensor, "*shape"], slope: Slope) -> Float[Tensor, "*shape"]:
    """Positive gradients, passed where the ReLU is open."""
    return slope(flow.relu())


def deconvolution(flow: Float[Tensor, "*shape"], _slope: Slope) -> Float[Tensor, "*shape"]:
    """Positive gradients, passed everywhere."""
    return flow.relu()


class Rectifiers(TorchFunctionMode):
    """Makes the ReLUs of a module's forward pass follow ``rule``, as it is set when a gradient arrives.

    Raises:
        NetworkError: in the forward pass, if it meets an activation that the rules are not defined for.
    """

    method = "guided backpropagation and deconvolution are defined for ReLU only"

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.rule: Rule = gradient
        self._module = module
        self._running: list[str] = []
        self._rectified = 0
        self._sigmoids = WeakTensorKeyDictionary()

    def __enter__(self) -> Self:
        with ExitStack() as hooks:
            for name, module in self._module.named_modules():
                hooks.callback(module.register_forward_pre_hook(partial(self._starts, name)).remove)
                hooks.callback(module.register_forward_hook(partial(self._ends, name)).remove)
            self._hooks = hooks.pop_all()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *reason: object) -> None:
        super().__exit__(*reason)  # type: ignore[no-untyped-call]
        self._hooks.close()

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function returns
        kwargs = kwargs or {}
        values = args[0] if args else kwargs.get("input")
        if not isinstance(values, Tensor) or not (values.requires_grad and torch.is_grad_enabled()):
            return func(*args, **kwargs)
        name = operation(func, args, kwargs)
        if name in _CEILINGS:
            self._rectified += 1
            in_place = func.__name__.endswith("_") or kwargs.get("inplace", args[-1] is True if args else False)
            return _Rectify.apply(values, _CEILINGS[name], in_place, self)
        self._refuse(name, args)
        result = func(*args, **kwargs)
        if name == "sigmoid":
            self._sigmoids[result] = values
        return result

    def _refuse(self, name: str, args: tuple[Any, ...]) -> None:
        gates = [self._sigmoids[arg] for arg in args if isinstance(arg, Tensor) and arg in self._sigmoids]
        if "mul" in name and any(gate is arg for gate in gates for arg in args):
            name = "silu"  # written out
        if name in _OTHERS:
            raise self.undefined(name)

    def undefined(self, operation_name: str, module: str | None = None) -> NetworkError:
        """The error to raise for an operation that the rules are not defined for."""
        module_name = self._running[-1] if module is None and self._running else module
        inside = f"module {module_name!r}" if module_name else "the network"
        return NetworkError(
            f"{inside} applies {operation_name}, and {self.method}: choose grad-cam, counterfactual or occlusion"
        )

    def _starts(self, name: str, module: nn.Module, _inputs: object) -> None:
        if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):  # torch.jit, torch.compile
            raise NetworkError(f"module {name!r} is compiled, which hides its ReLUs; give the network as plain modules")
        self._running.append(name)
        self._rectified_before = self._rectified

    def _ends(self, name: str, module: nn.Module, inputs: Iterable[object], _output: object) -> None:
        self._running.pop()
        # Not the output: where the module is tapped, that is a leaf already.
        is_traced = any(isinstance(value, Tensor) and value.requires_grad for value in inputs)
        if is_traced and self._rectified == self._rectified_before and is_activation(module):
            raise self.undefined(type(module).__name__, name)


class _Rectify(torch.autograd.Function):
    """A ReLU, with a ceiling or without, whose backward pass looks up the rule."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ceiling: float, in_place: bool, rectifiers: Rectifiers) -> Tensor:  # noqa: ANN401, FBT001
        if in_place:
            ctx.mark_dirty(values)
        result = values.clamp_(0, ceiling) if in_place else values.clamp(0, ceiling)
        ctx.save_for_backward(result)
        ctx.ceiling, ctx.rectifiers = ceiling, rectifiers
        return result

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (result,) = ctx.saved_tensors
        return ctx.rectifiers.rule(flows[0], partial(_slope, result=result, ceiling=ctx.ceiling)), None, None, None


def _slope(flow: Tensor, result: Tensor, ceiling: float) -> Tensor:
    """The derivative of a ReLU that returned ``result``: open between its bounds."""
    flow_on: Tensor = torch.ops.aten.hardtanh_backward(flow, result, 0, ceiling)
    return flow_on
