"""Counts where units' masks and concepts' labels overlap: integers, summed over images, mergeable.

For concept c of category g, over all images (Bau et al. 2017, Sec. 2.3; SEMANTICS: union category by category)::

    I = sum |M and L_c|     G = sum |L_c|     A = sum over images with any label of g of |M|     IoU = I / (A + G - I)

``M = up(A_k) > T_k``, see :mod:`dissection.upsampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .kernels import kernel
from .upsampling import steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Bool, Float32, Float64, Int32, Int64

    from .concepts.dataset import Labels
    from .ranks import Ranks
    from .vocabulary import Concept


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The order of the counts.

    Attributes:
        numbers: label number of each concept, ascending.
        categories: each concept's category, as an index.
        count: number of categories.
    """

    numbers: Int64[np.ndarray, " concepts"]
    categories: Int64[np.ndarray, " concepts"]
    count: int

    @classmethod
    def of(cls, concepts: Mapping[int, Concept], categories: Sequence[str]) -> Columns:
        """A dataset's concepts, and its categories in their order."""
        numbers = np.array(list(concepts), np.int64)
        own = np.array([categories.index(concept.category) for concept in concepts.values()], np.int64)
        return cls(numbers, own, len(categories))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """The sums, in pixels unless said otherwise.

    Attributes:
        units: the units that the rows are of.
        columns: the concepts that the columns are of.
        intersection: ``I`` by unit and concept.
        unit_area: ``A`` by unit and category.
        concept_area: ``G`` by concept.
        concept_images: images that carry the concept, by concept.
        pixels: label-map pixels seen.
    """

    units: Int32[np.ndarray, " units"]
    columns: Int64[np.ndarray, " concepts"]
    intersection: Int64[np.ndarray, "units concepts"]
    unit_area: Int64[np.ndarray, "units categories"]
    concept_area: Int64[np.ndarray, " concepts"]
    concept_images: Int64[np.ndarray, " concepts"]
    pixels: int


def count(
    columns: Columns,
    labels: Sequence[Labels],
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
) -> Counts:
    """The counts of a few images, for the units and concepts that occur on them.

    Args:
        columns: the order of the counts.
        labels: the labels of each image.
        images: which image each map is of, ascending.
        units: which unit each map is of.
        maps: the maps; only cells above the unit's threshold and their eight neighbours need to be right, others must
            not be above it.
        thresholds: ``T_k`` of every unit.
    """
    found = _present(columns, labels)
    place = np.full(int(columns.numbers.max(initial=0)) + 1, -1)
    place[columns.numbers[found]] = np.arange(len(found))
    rows, row_of = np.unique(units, return_inverse=True)
    counts = Counts(
        rows,
        found,
        np.zeros((len(rows), len(found)), np.int64),
        np.zeros((len(rows), columns.count), np.int64),
        np.zeros(len(found), np.int64),
        np.zeros(len(found), np.int64),
        sum(own.maps.shape[1] * own.maps.shape[2] for own in labels),
    )
    for image, own in enumerate(labels):
        here = slice(*np.searchsorted(images, [image, image + 1]))
        _count_image(counts, place, columns.categories[found], own, row_of[here], maps[here], thresholds[units[here]])
    return counts


def _present(columns: Columns, labels: Sequence[Labels]) -> Int64[np.ndarray, " present"]:
    """The concepts that occur on some images, ascending."""
    seen = np.zeros(int(columns.numbers.max(initial=0)) + 1, bool)
    for own in labels:
        _see(own.maps, seen)
        seen[[number for number in own.whole if number < len(seen)]] = True
    return np.flatnonzero(seen[columns.numbers])


def _count_image(
    counts: Counts,
    place: Int64[np.ndarray, " numbers"],
    categories: Int64[np.ndarray, " concepts"],
    labels: Labels,
    rows: Int64[np.ndarray, " active"],
    maps: Float32[np.ndarray, "active h w"],
    thresholds: Float64[np.ndarray, " active"],
) -> None:
    height, width = labels.maps.shape[1:]
    numbers = [number for number in labels.whole if number < len(place) and place[number] >= 0]
    whole = np.unique(place[numbers])
    drawn = place.copy()
    drawn[numbers] = -1  # the whole image has them: they count once
    areas = np.zeros(len(counts.columns), np.int64)
    there = np.empty(labels.maps.shape, np.int32)
    _locate(labels.maps, drawn, there, areas)
    areas[whole] = height * width
    lit = np.zeros(len(rows), np.int64)
    grid = (*steps(maps.shape[1], height), *steps(maps.shape[2], width))
    _match(maps, thresholds, rows, there, *grid, counts.intersection, lit)
    counts.concept_area[:] += areas
    counts.concept_images[:] += areas > 0
    counts.unit_area[np.ix_(rows, np.unique(categories[areas > 0]))] += lit[:, None]
    counts.intersection[np.ix_(rows, whole)] += lit[:, None]


class Overlaps:
    """Sums the overlaps of all units of a layer with all concepts of a dataset."""

    def __init__(self, units: int, columns: Columns) -> None:
        concepts = len(columns.numbers)
        self._columns = columns
        self._intersection = np.zeros((units, concepts), np.int64)
        self._unit_area = np.zeros((units, columns.count), np.int64)
        self._concept_area = np.zeros(concepts, np.int64)
        self._concept_images = np.zeros(concepts, np.int64)
        self._pixels = np.zeros(1, np.int64)

    def add(self, counts: Counts) -> None:
        """Take in the counts of some images."""
        _add_at(self._intersection, counts.units, counts.columns, counts.intersection)
        self._unit_area[counts.units] += counts.unit_area
        self._concept_area[counts.columns] += counts.concept_area
        self._concept_images[counts.columns] += counts.concept_images
        self._pixels += counts.pixels

    def pool(self, ranks: Ranks) -> None:
        """Take in the sums of all ranks; every rank must ask."""
        self.restore({name: ranks.sum(torch.from_numpy(sums)).numpy() for name, sums in self.state().items()})

    def counts(self) -> Counts:
        """The sums so far, for all units and concepts."""
        return Counts(
            np.arange(len(self._intersection), dtype=np.int32),
            np.arange(len(self._concept_area)),
            self._intersection.copy(),
            self._unit_area.copy(),
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


@kernel
def _add_at(
    sums: Int64[np.ndarray, "units concepts"],
    rows: Int32[np.ndarray, " rows"],
    columns: Int64[np.ndarray, " columns"],
    more: Int64[np.ndarray, "rows columns"],
) -> None:
    for row in range(len(rows)):
        for column in range(len(columns)):
            sums[rows[row], columns[column]] += more[row, column]


@kernel
def _see(numbers: Int32[np.ndarray, "layers H W"], seen: Bool[np.ndarray, " numbers"]) -> None:
    """Mark the numbers that occur, leaving out what no concept can have."""
    for layer in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            for x in range(numbers.shape[2]):
                if 0 <= numbers[layer, y, x] < len(seen):
                    seen[numbers[layer, y, x]] = True


@kernel
def _locate(
    numbers: Int32[np.ndarray, "layers H W"],
    place: Int64[np.ndarray, " numbers"],
    columns: Int32[np.ndarray, "layers H W"],
    areas: Int64[np.ndarray, " concepts"],
) -> None:
    """The column of each number, -1 where it is no concept's, and the pixels of each column's concept."""
    for y in range(numbers.shape[1]):
        for x in range(numbers.shape[2]):
            for layer in range(numbers.shape[0]):
                number = numbers[layer, y, x]
                columns[layer, y, x] = place[number] if 0 <= number < len(place) else -1
            _note(columns, y, x, areas)


@kernel
def _is_new(
    columns: Int32[np.ndarray, "layers H W"],
    layer: int,
    y: int,
    x: int,
) -> bool:
    """Whether a pixel has a concept on this layer that it has on none before."""
    column = columns[layer, y, x]
    if column < 0:
        return False
    for earlier in range(layer):  # noqa: SIM110 -- numba compiles no generators
        if columns[earlier, y, x] == column:
            return False
    return True


@kernel
def _match(  # noqa: PLR0913, PLR0917
    maps: Float32[np.ndarray, "active h w"],
    thresholds: Float64[np.ndarray, " active"],
    rows: Int64[np.ndarray, " active"],
    columns: Int32[np.ndarray, "layers H W"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    intersection: Int64[np.ndarray, "units concepts"],
    lit: Int64[np.ndarray, " active"],
) -> None:
    """Go over the pixels between each cell and its three next ones, where one of the four is above the threshold."""
    active, height, width = maps.shape
    for pair in range(active):
        threshold, unit = thresholds[pair], rows[pair]
        for row in range(height):
            for column in range(width):
                below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
                a, b = np.float64(maps[pair, row, column]), np.float64(maps[pair, below, column])
                c, d = np.float64(maps[pair, row, beside]), np.float64(maps[pair, below, beside])
                if not max(a, b, c, d) > threshold:
                    continue
                first, last = lefts[column], lefts[column + 1] - 1
                for y in range(tops[row], tops[row + 1] if first <= last else 0):
                    left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                    if not max(left + rights[first] * (right - left), left + rights[last] * (right - left)) > threshold:
                        continue  # along a row values rise, or fall, with the rounding too: no pixel between is lit
                    for x in range(first, last + 1):
                        if left + rights[x] * (right - left) > threshold:
                            lit[pair] += 1
                            _note(columns, y, x, intersection[unit])


@kernel
def _note(
    columns: Int32[np.ndarray, "layers H W"], y: int, x: int, intersection: Int64[np.ndarray, " concepts"]
) -> None:
    """Count the concepts of a pixel; one that several layers have counts once."""
    for layer in range(columns.shape[0]):
        if _is_new(columns, layer, y, x):
            intersection[columns[layer, y, x]] += 1
