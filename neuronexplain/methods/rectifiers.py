"""How a gradient passes a ReLU: by its own derivative, or by a rule of a visualisation.

With ``flow`` the gradient that arrives at a ReLU's output and ``open`` where its input lets a gradient through::

    gradient       flow · open                its derivative
    guided         max(flow, 0) · open        Springenberg et al. 2014
    deconvolution  max(flow, 0)               Zeiler and Fergus 2014

(Selvaraju et al. 2019, App. B, 2.3.) :class:`Rectifiers` watches a forward pass. For each ``nn.ReLU``, ``F.relu``,
``tensor.relu_()``, ReLU6 and clamp from 0 it puts a ReLU of the same values into the graph, whose rule can be chosen
when the graph is differentiated: one forward pass serves several rules. Everything else has its own derivative: a
max-pooling sends the gradient to its winner, as deconvolution's switches do, and a sum to all its terms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from dissection.errors import NetworkError
from dissection.recording import ACTIVATIONS, is_activation, operation

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

Rule = Callable[["Float[Tensor, '*shape']", "Bool[Tensor, '*shape']"], "Float[Tensor, '*shape']"]

_CEILINGS: dict[str, float | None] = {"relu": None, "relu6": 6.0}
_OTHERS = ACTIVATIONS - _CEILINGS.keys()


def gradient(flow: Float[Tensor, "*shape"], open_: Bool[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The derivative."""
    return flow * open_


def guided(flow: Float[Tensor, "*shape"], open_: Bool[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Positive gradients, to where the ReLU is open."""
    return flow.relu() * open_


def deconvolution(flow: Float[Tensor, "*shape"], _open: Bool[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Positive gradients, wherever they go."""
    return flow.relu()


class Rectifiers(TorchFunctionMode):
    """Gives the ReLUs of one forward pass of a module the rule that ``rule`` is when a gradient arrives.

    Raises:
        NetworkError: in the forward pass, if an activation is met that the rules are not defined for.
    """

    method = "guided backpropagation and deconvolution are defined for ReLU alone"

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.rule: Rule = gradient
        self._module = module
        self._running: list[str] = []
        self._rectified = 0
        self._sigmoids = WeakTensorKeyDictionary()

    def __enter__(self) -> Self:
        with ExitStack() as hooks:
            for name, part in self._module.named_modules():
                hooks.callback(part.register_forward_pre_hook(partial(self._starts, name)).remove)
                hooks.callback(part.register_forward_hook(partial(self._ends, name)).remove)
            self._hooks = hooks.pop_all()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *reason: object) -> None:
        super().__exit__(*reason)  # type: ignore[no-untyped-call]
        self._hooks.close()

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        values = args[0] if args else kwargs.get("input")
        if not isinstance(values, Tensor) or not (values.requires_grad and torch.is_grad_enabled()):
            return func(*args, **kwargs)
        name = operation(func, args, kwargs)
        if name in _CEILINGS:
            rectified = self._rectify(values, name)
            in_place = func.__name__.endswith("_") or kwargs.get("inplace", args[-1] is True)
            return values.copy_(rectified) if in_place else rectified
        self._refuse(name, args)
        result = func(*args, **kwargs)
        if name == "sigmoid":
            self._sigmoids[result] = values
        return result

    def _rectify(self, values: Tensor, name: str) -> Tensor:
        self._rectified += 1
        rectified: Tensor = _Rectify.apply(values, _CEILINGS[name], self)
        return rectified

    def _refuse(self, name: str, args: tuple[Any, ...]) -> None:
        gates = [self._sigmoids[arg] for arg in args if isinstance(arg, Tensor) and arg in self._sigmoids]
        if "mul" in name and any(gate is arg for gate in gates for arg in args):
            name = "silu"  # written out
        if name in _OTHERS:
            raise self.undefined(name)

    def undefined(self, what: str, module: str | None = None) -> NetworkError:
        """What to raise where something is met that the rules are not defined for."""
        where = self._running[-1] if module is None and self._running else module
        inside = f"module {where!r}" if where else "the network"
        return NetworkError(f"{inside} applies {what}, and {self.method}: choose grad-cam, counterfactual or occlusion")

    def _starts(self, name: str, part: nn.Module, _inputs: object) -> None:
        if isinstance(part, torch.jit.ScriptModule) or hasattr(part, "_orig_mod"):  # torch.jit, torch.compile
            raise NetworkError(f"module {name!r} is compiled, which hides its ReLUs; give the network as plain modules")
        self._running.append(name)
        self._before = self._rectified

    def _ends(self, name: str, part: nn.Module, _inputs: object, output: object) -> None:
        self._running.pop()
        watched = isinstance(output, Tensor) and output.requires_grad
        if watched and self._rectified == self._before and is_activation(part):
            raise self.undefined(type(part).__name__, name)


class _Rectify(torch.autograd.Function):
    """A ReLU, or one with a ceiling, whose backward pass asks for the rule."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ceiling: float | None, rectifiers: Rectifiers) -> Tensor:  # noqa: ANN401
        passing = values > 0
        ctx.save_for_backward(passing if ceiling is None else passing & (values < ceiling))
        ctx.rectifiers = rectifiers
        return values.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *flows: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (passing,) = ctx.saved_tensors
        return ctx.rectifiers.rule(flows[0], passing), None, None
