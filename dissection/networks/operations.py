"""Names of torch's operations, however they are called: ``F.relu``, ``x.relu_()``, ``x.clamp(min=0)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn import functional as F

from dissection.vocabulary import RECTIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

RECTIFY: Mapping[str, Callable[[Tensor], Tensor]] = {name: getattr(F, name) for name in RECTIFIERS}
"""Functions that may rectify a module's output, by the name of the operation."""

ACTIVATIONS = frozenset(
    ["relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "hardswish", "mish"]
)
ATTENTION = frozenset(("scaled_dot_product_attention", "multi_head_attention_forward"))
SUMS = frozenset(("add", "__add__", "__radd__", "__iadd__"))
PRODUCTS = frozenset(("mul", "__mul__", "__rmul__", "__imul__"))
"""Of numbers one by one."""
SOFTMAX = frozenset(("softmax", "log_softmax"))
JOINS = frozenset(("cat", "concat", "concatenate"))
RESHAPES = frozenset(("reshape", "view", "flatten", "unflatten"))
SQUEEZES = frozenset(("squeeze", "unsqueeze"))
PERMUTATIONS = frozenset(("permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims"))
COPIES = frozenset(("contiguous", "clone", "detach"))

_CLAMPS = frozenset(("clamp", "hardtanh"))
_BOUNDS = {(0, None): "relu", (0, 6): "relu6"}


def operation(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """A function's name, without an operator's overload and the underscore of an in-place one.

    A clamp from 0 is a ReLU by another name.

    >>> import torch
    >>> x = torch.zeros(1)
    >>> operation(torch.Tensor.relu_, (x,), {}), operation(torch.ops.aten.relu.default, (x,), {})
    ('relu', 'relu')
    >>> operation(torch.clamp, (x, 0), {"max": 6}), operation(torch.Tensor.clamp_min, (x, 0), {})
    ('relu6', 'relu')
    """
    name: str = getattr(func, "__name__", "").partition(".")[0]
    name = name if name.startswith("__") else name.rstrip("_")
    if name == "clamp_min":
        return "relu" if (*args[1:], *kwargs.values()) == (0,) else name
    if name in _CLAMPS:
        low, high = (*args[1:3], None, None)[:2]
        bounds = kwargs.get("min", kwargs.get("min_val", low)), kwargs.get("max", kwargs.get("max_val", high))
        return _BOUNDS.get(bounds, name)
    return name
