"""Follows the places of an image through the operations of a network, as far as operations show where they go.

Each number of a tensor belongs to a cell of a grid over the image, or to none (-1), as a class token's do. Operations
that only move numbers (``view``, ``permute``, ``roll``, ``cat``) move the cells likewise; a convolution or a pooling
begins a coarser grid; a sum, an activation or an attention's query keeps its places; a linear layer over a patch's
numbers makes the patch one cell. So a class token in the middle, windows, folded patches and swapped axes are seen
whatever the weights are. What looks at all cells without being of the image itself, as a word of a caption does and a
detector's query, is nowhere in it: such tokens are no map, however many there are. Where an operation is none of these,
or the image itself says what goes where, places are unknown (``None``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from .map_layouts import Layout
from .operations import (
    ACTIVATIONS,
    ATTENTION,
    COPIES,
    JOINS,
    PERMUTATIONS,
    PRODUCTS,
    RESHAPES,
    SOFTMAX,
    SQUEEZES,
    SUMS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_MOVING = (
    PERMUTATIONS
    | RESHAPES
    | SQUEEZES
    | COPIES
    | {
        "chunk",
        "split",
        "tensor_split",
        "unbind",
        "narrow",
        "select",
        "roll",
        "flip",
        "t",
        "expand",
        "expand_as",
        "repeat",
        "view_as",
        "reshape_as",
        "rot90",
        "index_select",
        "__getitem__",
        "__get__",
        "unfold",
        "pixel_unshuffle",
        "pixel_shuffle",
        "channel_shuffle",
        "repeat_interleave",
    }
)
_JOINING = JOINS | {"stack"}
_GRIDDING = frozenset(
    [
        "conv2d",
        "max_pool2d",
        "max_pool2d_with_indices",
        "avg_pool2d",
        "lp_pool2d",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "adaptive_max_pool2d_with_indices",
        "interpolate",
        "upsample",
    ]
)
_MATRIX_PRODUCTS = frozenset(("matmul", "__matmul__", "bmm", "addmm", "baddbmm"))
_ALONG_LAST = frozenset(("linear", "layer_norm", "rms_norm", "normalize", "glu"))
_NUMBERWISE = (
    ACTIVATIONS
    | SUMS
    | PRODUCTS
    | SOFTMAX
    | {
        "batch_norm",
        "group_norm",
        "instance_norm",
        "local_response_norm",
        "sigmoid",
        "hardsigmoid",
        "tanh",
        "hardtanh",
        "clamp",
        "softplus",
        "threshold",
        "abs",
        "exp",
        "sqrt",
        "rsqrt",
        "pow",
        "__pow__",
        "neg",
        "square",
        "log",
        "erf",
        "to",
        "type",
        "type_as",
        "float",
        "half",
        "bfloat16",
        "double",
        "dropout",
        "dropout1d",
        "dropout2d",
        "sub",
        "__sub__",
        "__rsub__",
        "__isub__",
        "addcmul",
        "lerp",
        "div",
        "__truediv__",
        "__rtruediv__",
        "__itruediv__",
        "true_divide",
        "maximum",
        "minimum",
        "where",
        "masked_fill",
    }
)
_BORDER = 4
"""Cells of padding that are taken for part of a convolution."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where a tensor's numbers belong.

    Attributes:
        cells: the cell of each number, row by row; -1 for none. Shaped like the tensor.
        grid: rows and columns; none where no number belongs to a cell.
    """

    cells: Tensor
    grid: tuple[int, int]

    @classmethod
    def of_map(cls, shape: Sequence[int]) -> Places:
        """Those of a map ``(images, units, h, w)`` that lies as the image does."""
        height, width = shape[2:]
        cells = torch.arange(height * width, dtype=torch.int32).view(1, 1, height, width)
        return cls(cells.expand(*shape), (height, width))

    @classmethod
    def nowhere(cls, shape: Sequence[int]) -> Places:
        """Those of numbers that belong to no cell."""
        return cls(torch.full((1,) * len(shape), -1, dtype=torch.int32).expand(*shape), (0, 0))

    @cached_property
    def is_nowhere(self) -> bool:
        """Whether no number belongs to a cell."""
        once = tuple(slice(1 if stride == 0 else None) for stride in self.cells.stride())
        return bool((self.cells[once] < 0).all())

    @property
    def is_map(self) -> bool:
        """Whether they are those of a map that lies as the image does, but for a narrow border."""
        if self.cells.ndim != 4:
            return False
        inner = self.cells[:1, : 1 if self.cells.stride(1) == 0 else None]
        rows, columns = ((inner[0, 0] >= 0).any(axis).nonzero() for axis in (1, 0))
        if not len(rows):
            return False
        top, left, bottom, right = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
        border = max(top, left, self.cells.shape[2] - bottom, self.cells.shape[3] - right)
        expected = torch.arange(self.grid[0] * self.grid[1]).view(1, 1, *self.grid)
        inner = inner[:, :, top:bottom, left:right]
        return border <= _BORDER and inner.shape[2:] == self.grid and bool((inner == expected).all())

    @cached_property
    def layout(self) -> Layout | None:
        """How a map lies in the tensor: along one axis nothing but units, along the others each cell once."""
        shape, count = tuple(self.cells.shape), self.grid[0] * self.grid[1]
        if shape[0] != 1 or count == 1 or not self.cells.numel() or self.is_nowhere:
            return None
        for axis in range(1, len(shape)):
            first = self.cells.narrow(axis, 0, 1)
            if first.numel() < count or not (self.cells.stride(axis) == 0 or bool((self.cells == first).all())):
                continue
            flat = first.flatten()
            places = (flat >= 0).nonzero().flatten()
            if len(places) == count and len(set(flat[places].tolist())) == count:
                return Layout(shape[1:], axis, tuple(places[flat[places].argsort()].tolist()))
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call of a function.

    Attributes:
        operation: the function's name.
        func: the function.
        args: its arguments.
        kwargs: its arguments by name.
        places_of: the places of a tensor, if they are known.
        is_of_image: whether a tensor depends on the image.
    """

    operation: str
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    places_of: Callable[[object], Places | None]
    is_of_image: Callable[[object], bool]

    def follow(self, results: Sequence[Tensor]) -> list[Places | None]:
        """The places of the tensors that the function gave."""
        rule = next((rule for names, rule in _RULES.items() if self.operation in names), None)
        try:
            places = rule(self, results) if rule and results else []
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):  # arguments that no rule expects
            places = []
        places = [*places, *[None] * (len(results) - len(places))]
        return [
            known if known and known.cells.shape == result.shape else None
            for known, result in zip(places, results, strict=False)
        ]

    @property
    def subject(self) -> Places:
        """The places of the first argument.

        Raises:
            ValueError: if they are not known.
        """
        places = self.places_of(self.args[0] if self.args else next(iter(self.kwargs.values())))
        if places is None:
            raise ValueError
        return places

    def on(self, cells: Tensor | list[Tensor]) -> Any:  # noqa: ANN401 -- as many tensors as the function gives
        """The function on cells, in place of its first argument; a view may need a copy that the network need not."""
        func: Callable[..., Any] = Tensor.reshape if self.operation == "view" else self.func
        args, kwargs = tree_map_only(Tensor, Tensor.cpu, (self.args[1:], dict(self.kwargs)))
        return func(cells, *args, **kwargs)


def _moved(step: Step, _results: Sequence[Tensor]) -> list[Places | None]:
    if any(map(step.is_of_image, _flat([*step.args[1:], *step.kwargs.values()]))):
        return []
    moved, grid = step.on(step.subject.cells), step.subject.grid
    return [Places(cells, grid) for cells in ([moved] if isinstance(moved, Tensor) else moved)]


def _joined(step: Step, _results: Sequence[Tensor]) -> list[Places | None]:
    """Those of tensors that are put beside each other; what has no places brings none."""
    parts = step.args[0]
    known = list(map(step.places_of, parts))
    grid = _grid_of(places for places in known if places)
    if grid is None:
        return []
    cells = [
        places.cells if places else torch.full(part.shape, -1, dtype=torch.int32)
        for places, part in zip(known, parts, strict=True)
    ]
    return [Places(step.on(cells), grid)]


def _gridded(step: Step, results: Sequence[Tensor]) -> list[Places | None]:
    is_map = step.subject.is_map and results[0].shape[2:] != (1, 1)
    return [Places.of_map(result.shape) if is_map else None for result in results]


def _combined(step: Step, results: Sequence[Tensor]) -> list[Places | None]:
    """Those of numbers that are combined one by one; unknown if they come from different cells."""
    operands = map(step.places_of, (*step.args, *step.kwargs.values()))
    known = [places for places in operands if places]
    grid = _grid_of(known)
    if grid is None:
        return []
    shape = results[0].shape
    cells = known[0].cells.expand(shape)
    for others in (places.cells.expand(shape) for places in known[1:]):
        if others.data_ptr() == cells.data_ptr() and others.stride() == cells.stride():
            continue
        if bool(((others != cells) & (others >= 0) & (cells >= 0)).any()):
            return []
        cells = torch.maximum(others, cells)
    return [Places(cells, grid)]


def _multiplied(step: Step, results: Sequence[Tensor]) -> list[Places | None]:
    """Those of a matrix product: its rows are the left one's, or else its columns are the right one's.

    Where each that is of the image brings the same cells to all of them, the product is nowhere. A single one may bring
    places back with the weights that it is multiplied by, as enlarging a map does, unless it is nowhere itself.
    """
    factors = [factor for factor in step.args[-2:] if step.is_of_image(factor)]
    known = [places for factor in factors if (places := step.places_of(factor))]
    kept = [
        _kept(places, axis)
        for axis, factor in zip((-1, -2), step.args[-2:], strict=True)
        if (places := step.places_of(factor))
    ]
    one = next((places for places in kept if places and not places.is_nowhere), None)
    if one is None and len(known) == len(factors) and all(kept) and (len(known) > 1 or known[0].is_nowhere):
        one = Places.nowhere(results[0].shape)
    return [Places(one.cells.expand(results[0].shape), one.grid)] if one else []


def _along_last(step: Step, results: Sequence[Tensor]) -> list[Places | None]:
    """Those of an operation that mixes numbers along the last axis."""
    one = _one_along(step.subject, -1)
    return [Places(one.cells.expand(results[0].shape), one.grid)] if one else []


def _attended(step: Step, results: Sequence[Tensor]) -> list[Places | None]:
    """Those of an attention: its query's, and none if that is not of the image."""
    query = step.args[0] if step.args else step.kwargs["query"]
    return _along_last(step, results) if step.is_of_image(query) else [Places.nowhere(results[0].shape)]


def _padded(step: Step, _results: Sequence[Tensor]) -> list[Places | None]:
    amounts = step.args[1] if len(step.args) > 1 else step.kwargs["pad"]
    return [Places(step.func(step.subject.cells, amounts, value=-1), step.subject.grid)]


_RULES = {
    _MOVING: _moved,
    _JOINING: _joined,
    _GRIDDING: _gridded,
    _NUMBERWISE: _combined,
    _MATRIX_PRODUCTS: _multiplied,
    _ALONG_LAST: _along_last,
    ATTENTION: _attended,
    frozenset(("pad",)): _padded,
}


def _grid_of(parts: Iterable[Places]) -> tuple[int, int] | None:
    """The grid that parts share, of those that are somewhere if any are; ``None`` if there are several, or no parts."""
    parts = list(parts)
    grids = {places.grid for places in parts if not places.is_nowhere} or {places.grid for places in parts}
    return grids.pop() if len(grids) == 1 else None


def _kept(places: Places, axis: int) -> Places | None:
    """What a matrix product keeps of a factor that is summed along an axis, the last or the one before it."""
    cells, other = places.cells, -3 - axis
    lines = cells.narrow(other, 0, 1)
    is_summed_over = bool((lines != lines.narrow(axis, 0, 1)).any())
    if is_summed_over and cells.shape[other] > 1 and bool((cells == lines).all()):
        return Places.nowhere(cells.narrow(axis, 0, 1).shape)
    return _one_along(places, axis)


def _one_along(places: Places, axis: int) -> Places | None:
    """One cell for each line of numbers along an axis: their common cell, or the patch that they make."""
    cells, (_, width) = places.cells, places.grid
    first = cells.narrow(axis, 0, 1)
    if cells.stride(axis) == 0 or bool((cells == first).all()):
        return Places(first, places.grid)
    rows, columns = cells.div(width, rounding_mode="floor"), cells % width
    if bool((cells < 0).any()):
        return None
    coarse, sides = [], []
    for lines, length in ((rows, places.grid[0]), (columns, width)):
        least, most = lines.amin(axis, keepdim=True), lines.amax(axis, keepdim=True)
        side = int(most.flatten()[0] - least.flatten()[0]) + 1
        if length % side or bool((most - least + 1 != side).any()) or bool((least % side).any()):
            return None
        coarse.append(least // side)
        sides.append(length // side)
    return Places(coarse[0] * sides[1] + coarse[1], (sides[0], sides[1]))


def _flat(things: object) -> list[object]:
    if isinstance(things, (list, tuple)):
        return [part for thing in things for part in _flat(thing)]
    if isinstance(things, slice):
        return [things.start, things.stop, things.step]
    return [things]
