"""Counts where units' masks and concepts' labels overlap: integers, summed over images, mergeable.

For concept c of category g, over all images (Bau et al. 2017, Sec. 2.3; SEMANTICS: union category by category)::

    I = sum |M and L_c|     G = sum |L_c|     A = sum over images with any label of g of |M|     IoU = I / (A + G - I)

``M = up(A_k) > T_k`` with ``up`` bilinear at half-pixel centres, clamped at the border, in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .kernels import kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Bool, Float32, Float64, Int32, Int64

    from .concepts.dataset import Labels
    from .ranks import Ranks
    from .vocabulary import Concept

UPSAMPLING = "bilinear, half-pixel centres, float64"
"""How maps are upsampled: part of a run's key."""



def upsample(maps: Float64[np.ndarray, "n h w"], height: int, width: int) -> Float64[np.ndarray, "n H W"]:
    """Bilinear interpolation at half-pixel centres, clamped at the border; rows first, then columns.

    Each step is ``a + t (b - a)``, which gives ``a`` exactly where ``a = b`` and never leaves the interval between
    them: a plateau at the threshold does not rise above it by rounding.
    """
    return _stretch(_stretch(maps, height, axis=1), width, axis=2)


def lit(
    maps: Float64[np.ndarray, "n h w"], thresholds: Float64[np.ndarray, " n"], height: int, width: int
) -> Bool[np.ndarray, " n"]:
    """Which maps have a mask at this size: a pixel of ``up(A_k) > T_k``."""
    found = np.zeros(len(maps), bool)
    _light(maps, thresholds, *_steps(maps.shape[1], height), *_steps(maps.shape[2], width), found)
    return found


def _stretch(maps: Float64[np.ndarray, "n h w"], size: int, *, axis: int) -> Float64[np.ndarray, "n ..."]:
    low, share = _between(maps.shape[axis], size)
    along = share.reshape([-1 if dimension == axis else 1 for dimension in range(3)])
    before = maps.take(low, axis)
    after = maps.take(np.minimum(low + 1, maps.shape[axis] - 1), axis)
    stretched: Float64[np.ndarray, "n ..."] = before + along * (after - before)
    return stretched


def _between(cells: int, pixels: int) -> tuple[Int64[np.ndarray, " pixels"], Float64[np.ndarray, " pixels"]]:
    """For each pixel of a row, the cell before it and how far it is from there to the next."""
    centres = np.clip((np.arange(pixels) + 0.5) * (cells / pixels) - 0.5, 0, cells - 1)
    low = np.floor(centres).astype(np.int64)
    return low, centres - low


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """The sums, all int64 and in pixels unless said otherwise.

    Attributes:
        intersection: ``I`` by unit and concept.
        unit_area: ``A`` by unit and category.
        concept_area: ``G`` by concept.
        concept_images: images that carry the concept, by concept.
        pixels: label-map pixels seen.
    """

    intersection: Int64[np.ndarray, "units concepts"]
    unit_area: Int64[np.ndarray, "units categories"]
    concept_area: Int64[np.ndarray, " concepts"]
    concept_images: Int64[np.ndarray, " concepts"]
    pixels: int


class Overlaps:
    """Sums the overlaps of all units of a layer with all concepts of a dataset, image by image.

    Args:
        units: number of units.
        concepts: the concepts by label number, ascending: the order of the counts.
        categories: the order of the categories.
    """

    def __init__(self, units: int, concepts: Mapping[int, Concept], categories: Sequence[str]) -> None:
        numbers = np.array(list(concepts), np.int64)
        self._column = np.full(int(numbers.max(initial=0)) + 1, -1)
        self._column[numbers] = np.arange(len(numbers))
        self._category = np.array([categories.index(concept.category) for concept in concepts.values()], dtype=np.int64)
        self._intersection = np.zeros((units, len(concepts)), np.int64)
        self._unit_area = np.zeros((units, len(categories)), np.int64)
        self._concept_area = np.zeros(len(concepts), np.int64)
        self._concept_images = np.zeros(len(concepts), np.int64)
        self._pixels = np.zeros(1, np.int64)

    def add(
        self,
        labels: Labels,
        units: Int32[np.ndarray, " active"],
        maps: Float32[np.ndarray, "active h w"],
        thresholds: Float64[np.ndarray, " active"],
    ) -> None:
        """Take in one image: its labels, and the maps of the units that have a mask there, with their thresholds.

        Only cells above the threshold and their eight neighbours need to be right; others must not be above it.
        """
        height, width = labels.maps.shape[1:]
        columns = self._column[labels.maps]
        whole = np.unique(self._column[np.array(labels.whole, np.int64)])
        if len(whole):
            columns[np.isin(columns, whole)] = -1  # the whole image has them: they count once
        areas = np.zeros(len(self._concept_area), np.int64)
        _measure(columns, areas)
        areas[whole] = height * width
        self._pixels += height * width
        self._concept_area += areas
        self._concept_images += areas > 0
        grid = (*_steps(maps.shape[1], height), *_steps(maps.shape[2], width))
        lit = np.zeros(len(units), np.int64)
        _match(maps, thresholds, units, columns, *grid, self._intersection, lit)
        self._unit_area[np.ix_(units, np.unique(self._category[areas > 0]))] += lit[:, None]
        self._intersection[np.ix_(units, whole)] += lit[:, None]

    def pool(self, ranks: Ranks) -> None:
        """Take in the sums of all ranks; every rank must ask."""
        self.restore({name: ranks.sum(torch.from_numpy(sums)).numpy() for name, sums in self.state().items()})

    def counts(self) -> Counts:
        """The sums so far."""
        return Counts(
            self._intersection.copy(),
            self._unit_area[:, self._category],
            self._concept_area.copy(),
            self._concept_images.copy(),
            int(self._pixels[0]),
        )

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as arrays."""
        return {
            "intersection": self._intersection,
            "unit_area": self._unit_area,
            "concept_area": self._concept_area,
            "concept_images": self._concept_images,
            "pixels": self._pixels,
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what a state was taken from."""
        self._intersection, self._unit_area, self._concept_area, self._concept_images, self._pixels = (
            state[name].copy() for name in ("intersection", "unit_area", "concept_area", "concept_images", "pixels")
        )


def _steps(cells: int, pixels: int) -> tuple[Int64[np.ndarray, " cells+1"], Float64[np.ndarray, " pixels"]]:
    """Where the pixels between each cell and the next begin, and how far each pixel is on the way."""
    low, share = _between(cells, pixels)
    return np.searchsorted(low, np.arange(cells + 1)), share


@kernel
def _measure(columns, areas):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Pixels of each concept; one that several layers have counts once."""
    layers, height, width = columns.shape
    for y in range(height):
        for x in range(width):
            for layer in range(layers):
                if _is_new(columns, layer, y, x):
                    areas[columns[layer, y, x]] += 1


@kernel
def _is_new(columns, layer, y, x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Whether a pixel has a concept on this layer that it has on none before."""
    column = columns[layer, y, x]
    if column < 0:
        return False
    for earlier in range(layer):  # noqa: SIM110 -- numba compiles no generators
        if columns[earlier, y, x] == column:
            return False
    return True


@kernel
def _match(maps, thresholds, units, columns, tops, downs, lefts, rights, intersection, lit):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0913, PLR0917
    """Go over the pixels between each cell and its three next ones, where one of the four is above the threshold."""
    active, height, width = maps.shape
    layers = columns.shape[0]
    for pair in range(active):
        threshold, unit = thresholds[pair], units[pair]
        for row in range(height):
            for column in range(width):
                below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
                a, b = np.float64(maps[pair, row, column]), np.float64(maps[pair, below, column])
                c, d = np.float64(maps[pair, row, beside]), np.float64(maps[pair, below, beside])
                if not max(max(a, b), max(c, d)) > threshold:
                    continue
                for y in range(tops[row], tops[row + 1]):
                    left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                    for x in range(lefts[column], lefts[column + 1]):
                        if left + rights[x] * (right - left) > threshold:
                            lit[pair] += 1
                            for layer in range(layers):
                                if _is_new(columns, layer, y, x):
                                    intersection[unit, columns[layer, y, x]] += 1


@kernel
def _light(maps, thresholds, tops, downs, lefts, rights, found):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, PLR0913, PLR0917
    for pair in range(maps.shape[0]):
        found[pair] = _is_lit(maps[pair], thresholds[pair], tops, downs, lefts, rights)


@kernel
def _is_lit(cells, threshold, tops, downs, lefts, rights):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0913, PLR0917
    height, width = cells.shape
    for row in range(height):
        for column in range(width):
            below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
            a, b, c, d = cells[row, column], cells[below, column], cells[row, beside], cells[below, beside]
            if not max(max(a, b), max(c, d)) > threshold:
                continue
            for y in range(tops[row], tops[row + 1]):
                left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                for x in range(lefts[column], lefts[column + 1]):
                    if left + rights[x] * (right - left) > threshold:
                        return True
    return False
