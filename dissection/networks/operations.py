"""Names of torch's operations, however they are called: ``F.relu``, ``x.relu_()``, ``x.clamp(min=0)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

RECTIFIERS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "relu6": F.relu6}
"""Functions that may rectify a module's output, by the name of the operation."""

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
