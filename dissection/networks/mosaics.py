"""Where in the image each cell of a layer's output lies, found by trying.

That is for outputs whose cells cannot be followed through the data flow (:mod:`dissection.networks.places`). The
network sees two images and mosaics of them, whose pieces are stripes of rows or of columns. A place of the output looks
at a place of the image where it resembles the image whose piece lies there. With

    d = (|f(mosaic) - f(one)| - |f(mosaic) - f(other)|) / |f(one) - f(other)|

over the units of a place, ``d`` is near 1 where that is the other image's, and near -1 where it is the one's. Finer
stripes count rows and columns in binary (Gray) code, so few mosaics tell all places apart. Of all the orders that
networks lay places out in, with tokens among them that are no places, the one is taken that agrees best
(:func:`find_layout`); if even that one agrees too little, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product
from math import ceil, gcd, log2
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from .map_layouts import Layout, patches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float, Float64, Int64
    from torch import Tensor

_FINEST = 5
_AGREES = 0.5
_SHOWS = 0.2
_LEAST_CELLS = 4
"""Cells for each place that is none: any order fits where there is too much to choose from."""
_CLEARLY_BETTER = 1.02


@dataclass(frozen=True, slots=True, eq=False)
class Mosaics:
    """Two images and mosaics of them.

    Attributes:
        images: the one, the other, and the mosaics.
        pieces: for each mosaic, the pixels that are the other image's. Mosaics of rows and of columns alternate, from
            coarse to fine.
    """

    images: Float[Tensor, "images channels H W"]
    pieces: Bool[Tensor, "mosaics H W"]

    @classmethod
    def of(cls, one: Float[Tensor, "1 channels H W"], other: Float[Tensor, "1 channels H W"], cells: int) -> Mosaics:
        """Mosaics that tell this many rows and columns apart."""
        height, width = one.shape[2:]
        depths = range(1, min(max(ceil(log2(cells)), 2), _FINEST) + 1)
        pieces = torch.stack(
            [
                striped.expand(height, width)
                for depth in depths
                for striped in (_stripes(height, depth)[:, None], _stripes(width, depth)[None])
            ]
        )
        mosaics = torch.where(pieces[:, None].to(one.device), other, one)
        return cls(torch.cat([one, other, mosaics]), pieces)

    def in_cells(self, height: int, width: int) -> Float64[np.ndarray, "mosaics cells"]:
        """How far each cell of a grid is the other image's, from -1 to 1."""
        shares = F.adaptive_avg_pool2d(self.pieces[:, None].double(), (height, width))
        return np.asarray((2 * shares - 1).flatten(1))


def _stripes(length: int, depth: int) -> Bool[Tensor, " length"]:
    """A digit of a Gray code with ``depth`` digits, along a side."""
    stripe = torch.arange(length) * 2**depth // length
    return torch.as_tensor(((stripe + 1) // 2) % 2 == 1)


def resemblance(output: Float[Tensor, "*shape"], axis: int) -> Float64[np.ndarray, "mosaics places"]:
    """What each place of an output for mosaics resembles: -1 is the one image, 1 the other.

    Args:
        output: a network's values for :attr:`Mosaics.images`.
        axis: the axis of the units.
    """
    values = output.movedim(axis, 1).flatten(2).cpu().double()  # some devices have no such numbers
    one, other, mosaics = values[:1], values[1:2], values[2:]
    apart = (other - one).norm(dim=1)
    nearer = (mosaics - one).norm(dim=1) - (mosaics - other).norm(dim=1)
    d = torch.where(apart > 0, nearer / apart, 0).nan_to_num().numpy()
    return np.asarray(d - d.mean(1, keepdims=True))


def find_layout(
    output: Float[Tensor, "*shape"], mosaics: Mosaics, usual: Layout | None
) -> tuple[Layout, int, int] | None:
    """How an output for mosaics lies in the image, with the rows and columns of its map; ``None`` if that is unclear.

    It is unclear, too, if another layout agrees better than the usual one, and what is seen bears out both: they differ
    by less than shows.

    Args:
        output: a layer's output for :attr:`Mosaics.images`.
        mosaics: the images.
        usual: what the output's shape suggests; kept unless another layout agrees clearly better.
    """
    height, width = mosaics.images.shape[2:]
    readings = [
        reading for axis in range(1, output.ndim) for reading in _readings(output, axis, mosaics, (height, width))
    ]
    if not readings:
        return None
    best = max(readings, key=lambda reading: reading.agreement)
    expected = next((reading for reading in readings if reading.layout == usual), None)
    if expected and expected.agreement * _CLEARLY_BETTER >= best.agreement:
        return expected.placed if expected.is_coarsely_borne_out else None
    if expected and expected.is_borne_out:
        return None
    return best.placed if best.is_borne_out else None


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """A layout that is tried: its map's size, and how far it agrees with what was seen, at most 1.

    It is borne out where the halves of the image are where they are expected, and all finer stripes that show. Coarsely
    leaves stripes as narrow as a cell out, since a cell also looks at what is beside it.
    """

    layout: Layout
    height: int
    width: int
    agreement: float
    is_borne_out: bool
    is_coarsely_borne_out: bool

    @property
    def placed(self) -> tuple[Layout, int, int]:
        """The layout, with the rows and columns of its map."""
        return self.layout, self.height, self.width


def _readings(output: Tensor, axis: int, mosaics: Mosaics, image: tuple[int, int]) -> Iterator[_Reading]:
    shape = tuple(output.shape[1:])
    sides = tuple(length for number, length in enumerate(shape, 1) if number != axis)
    places = int(np.prod(sides))
    grids = {patches(places, image)} | ({sides, sides[::-1]} if len(sides) == 2 else set())
    grids = {grid for grid in grids if min(grid) and max(grid) > 1 and _is_like(grid, image)}
    if not grids:
        return
    seen = resemblance(output, axis)
    for height, width in grids:
        if len(sides) > 1 and height * width != places:
            continue
        expected = mosaics.in_cells(height, width)
        for order in _orders(height, width):
            for cells in _fitted(seen, expected, order):
                in_cells = seen[:, cells]
                layout = Layout(shape, axis, tuple(cells.tolist()))
                agreement = _agreement(in_cells, expected)
                fits = _fits(in_cells, expected)
                wide = [2 ** (mosaic // 2 + 1) < (height, width)[mosaic % 2] for mosaic in range(len(fits))]
                wide[:2] = True, True
                yield _Reading(layout, height, width, agreement, bool(fits.all()), bool(fits[wide].all()))


def _is_like(grid: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether a grid's proportions are roughly the image's."""
    return 0.5 <= (grid[0] * image[1]) / (grid[1] * image[0]) <= 2


def _orders(height: int, width: int) -> Iterator[Int64[np.ndarray, " cells"]]:
    """The orders in which cells may follow each other: by rows or columns, in blocks of either, from any corner."""
    by_row = np.arange(height * width).reshape(height, width)
    for vertical, horizontal in product((1, -1), repeat=2):
        cells = by_row[::vertical, ::horizontal]
        yield cells.ravel()
        if height > 1 and width > 1:
            yield cells.T.ravel()
    common = gcd(height, width)
    for side in (side for side in range(2, common + 1) if common % side == 0 and side < max(height, width)):
        blocks = by_row.reshape(height // side, side, width // side, side)
        for axes in permutations(range(4)):
            yield blocks.transpose(axes).ravel()


def _fitted(
    seen: Float64[np.ndarray, "mosaics places"],
    expected: Float64[np.ndarray, "mosaics cells"],
    order: Int64[np.ndarray, " cells"],
) -> Iterator[Int64[np.ndarray, " cells"]]:
    """Where each cell lies among the places, of which some may be no cells: those that fit in least."""
    more = seen.shape[1] - len(order)
    if more < 0 or more > len(order) // _LEAST_CELLS:
        return
    fit = seen.T @ expected[:, order]
    places = np.flatnonzero(~_left_out(fit, more)) if more else np.arange(len(order))
    yield _by_cell(places, order)
    if more:
        yield _by_cell(np.arange(more, seen.shape[1]), order)


def _by_cell(places: Int64[np.ndarray, " cells"], order: Int64[np.ndarray, " cells"]) -> Int64[np.ndarray, " cells"]:
    cells = np.empty_like(places)
    cells[order] = places
    return cells


def _left_out(fit: Float64[np.ndarray, "places cells"], more: int) -> Bool[np.ndarray, " places"]:
    """Which places to leave out so that the others, in order, fit the cells best: an alignment by dynamic programming.

    Args:
        fit: how well each place fits each cell.
        more: how many places are left out.
    """
    best = np.full(more + 1, -np.inf)
    best[0] = 0
    skipped = np.zeros((len(fit), more + 1), bool)
    for place, row in enumerate(fit):
        cells = place - np.arange(more + 1)
        valid = (cells >= 0) & (cells < fit.shape[1])
        taken = np.where(valid, best + row[np.clip(cells, 0, fit.shape[1] - 1)], -np.inf)
        left = np.concatenate([[-np.inf], best[:-1]])
        skipped[place] = left > taken
        best = np.maximum(taken, left)
    out = np.zeros(len(fit), bool)
    for place in reversed(range(len(fit))):
        out[place] = skipped[place, more]
        more -= int(out[place])
    return out


def _agreement(seen: Float64[np.ndarray, "mosaics cells"], expected: Float64[np.ndarray, "mosaics cells"]) -> float:
    """The cosine between all that is seen and what is expected."""
    return float(_cosines(seen.reshape(1, -1), expected.reshape(1, -1))[0])


def _fits(
    seen: Float64[np.ndarray, "mosaics cells"], expected: Float64[np.ndarray, "mosaics cells"]
) -> Bool[np.ndarray, " mosaics"]:
    """Whether stripes are where they are expected, or do not show; halves must show."""
    is_hidden = np.sqrt((seen**2).mean(1)) < _SHOWS
    is_hidden[:2] = False
    return np.asarray(is_hidden | (_cosines(seen, expected) >= _AGREES))


def _cosines(
    seen: Float64[np.ndarray, "rows columns"], expected: Float64[np.ndarray, "rows columns"]
) -> Float64[np.ndarray, " rows"]:
    """Between rows; 1 where nothing is expected, and 0 where nothing is seen."""
    lengths = np.linalg.norm(seen, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = np.divide((seen * expected).sum(1), lengths, out=np.zeros(len(seen)), where=lengths > 0)
    return np.where(expected.any(1), cosines, 1.0)
