"""Counts where units' masks and concepts' labels overlap: integers, summed over images, mergeable.

For concept c of category g, over all images (Bau et al. 2017, Sec. 2.3; SEMANTICS: union category by category)::

    I = sum |M and L_c|     G = sum |L_c|     A = sum over images with any label of g of |M|     IoU = I / (A + G - I)

``M = up(A_k) > T_k``, see :mod:`dissection.engine.upsampling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel

from .upsampling import steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float32, Float64, Int32, Int64

    from dissection.concepts.dataset import Labels
    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Concept


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
    numbers = np.concatenate([own.maps.ravel() for own in labels])
    sizes = np.array([own.maps.shape for own in labels])
    whole = np.array([number for own in labels for number in own.whole], np.int64)
    wholes = np.array([len(own.whole) for own in labels])
    place = np.full(int(columns.numbers.max(initial=0)) + 1, -1)
    _see(numbers, whole, place)
    found = np.flatnonzero(place[columns.numbers] >= 0)
    place[:] = -1
    place[columns.numbers[found]] = np.arange(len(found))
    rows, row_of = _ranked(units, len(thresholds))
    counts = Counts(
        rows,
        found,
        np.zeros((len(rows), len(found)), np.int64),
        np.zeros((len(rows), columns.count), np.int64),
        np.zeros(len(found), np.int64),
        np.zeros(len(found), np.int64),
        sum(own.maps.shape[1] * own.maps.shape[2] for own in labels),
    )
    _count_images(
        numbers, sizes, whole, wholes, place, columns.categories[found],
        maps, thresholds[units], row_of, np.searchsorted(images, np.arange(len(labels) + 1)),
        counts.intersection, counts.unit_area, counts.concept_area, counts.concept_images,
    )  # fmt: skip
    return counts


def _ranked(
    units: Int32[np.ndarray, " pairs"], count: int
) -> tuple[Int32[np.ndarray, " rows"], Int64[np.ndarray, " pairs"]]:
    """The units that occur, ascending, and which of them each is."""
    there = np.zeros(count, bool)
    there[units] = True
    return np.flatnonzero(there).astype(np.int32), (there.cumsum() - 1)[units]


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
def _see(
    numbers: Int32[np.ndarray, " pixels"], whole: Int64[np.ndarray, " whole"], place: Int64[np.ndarray, " numbers"]
) -> None:
    """Give the numbers that occur a place, leaving out what no concept can have."""
    for number in whole:
        if 0 <= number < len(place):
            place[number] = 0
    before = np.int32(-1)
    for number in numbers:
        if number != before:
            before = number
            if 0 <= number < len(place):
                place[number] = 0


@kernel
def _count_images(  # noqa: PLR0913, PLR0917
    numbers: Int32[np.ndarray, " pixels"],
    sizes: Int64[np.ndarray, "images 3"],
    whole: Int64[np.ndarray, " whole"],
    wholes: Int64[np.ndarray, " images"],
    place: Int64[np.ndarray, " numbers"],
    categories: Int64[np.ndarray, " concepts"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " pairs"],
    rows: Int64[np.ndarray, " pairs"],
    edges: Int64[np.ndarray, " images+1"],
    intersection: Int64[np.ndarray, "rows concepts"],
    unit_area: Int64[np.ndarray, "rows categories"],
    concept_area: Int64[np.ndarray, " concepts"],
    concept_images: Int64[np.ndarray, " concepts"],
) -> None:
    """Add the counts of images one after another: one call, for each waits for Python's lock once."""
    pixel = named = 0
    for image in range(len(sizes)):
        layers, height, width = sizes[image]
        own = slice(edges[image], edges[image + 1])
        _count_image(
            numbers[pixel : pixel + layers * height * width].reshape(layers, height, width),
            place,
            _columns(whole[named : named + wholes[image]], place),
            categories,
            maps[own],
            thresholds[own],
            rows[own],
            *steps(maps.shape[1], height),
            *steps(maps.shape[2], width),
            intersection,
            unit_area,
            concept_area,
            concept_images,
        )
        pixel += layers * height * width
        named += wholes[image]


@kernel
def _columns(
    numbers: Int64[np.ndarray, " whole"], place: Int64[np.ndarray, " numbers"]
) -> Int64[np.ndarray, " columns"]:
    """The columns of some numbers, each once; a number that no concept has is left out."""
    columns = np.empty(len(numbers), np.int64)
    count = 0
    for number in numbers:
        column = _column(number, place)
        if column >= 0 and not (columns[:count] == column).any():
            columns[count] = column
            count += 1
    return columns[:count]


@kernel
def _column(number: int, place: Int64[np.ndarray, " numbers"]) -> int:
    """The column of a number, or -1."""
    return int(place[number]) if 0 <= number < len(place) else -1


@kernel
def _count_image(  # noqa: PLR0913, PLR0917
    numbers: Int32[np.ndarray, "layers H W"],
    place: Int64[np.ndarray, " numbers"],
    whole: Int64[np.ndarray, " whole"],
    categories: Int64[np.ndarray, " concepts"],
    maps: Float32[np.ndarray, "active h w"],
    thresholds: Float64[np.ndarray, " active"],
    rows: Int64[np.ndarray, " active"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    intersection: Int64[np.ndarray, "rows concepts"],
    unit_area: Int64[np.ndarray, "rows categories"],
    concept_area: Int64[np.ndarray, " concepts"],
    concept_images: Int64[np.ndarray, " concepts"],
) -> None:
    """Add the counts of an image; ``whole`` are the columns that hold all over it."""
    layers, height, width = numbers.shape
    columns = np.empty((height, width, layers), np.int32)
    areas = np.zeros(len(concept_area), np.int64)
    _locate(numbers, place, whole, columns, areas)
    areas[whole] = height * width
    labelled = np.zeros(unit_area.shape[1], np.bool_)
    for column in range(len(areas)):
        if areas[column]:
            concept_area[column] += areas[column]
            concept_images[column] += 1
            labelled[categories[column]] = True
    for pair in range(len(rows)):
        row = rows[pair]
        lit = _match(maps[pair], thresholds[pair], columns, tops, downs, lefts, rights, intersection[row])
        for column in whole:
            intersection[row, column] += lit
        for category in range(len(labelled)):
            if labelled[category]:
                unit_area[row, category] += lit


@kernel
def _locate(
    numbers: Int32[np.ndarray, "layers H W"],
    place: Int64[np.ndarray, " numbers"],
    whole: Int64[np.ndarray, " whole"],
    columns: Int32[np.ndarray, "H W layers"],
    areas: Int64[np.ndarray, " concepts"],
) -> None:
    """The columns of each pixel's concepts, each once and -1 for none, and the pixels of each column's concept.

    What the whole image has is none here: it counts once.
    """
    layers, height, width = numbers.shape
    first = np.full(len(areas), layers)
    repeated = False
    for layer in range(layers):
        before, column = np.int32(-1), -1
        for y in range(height):
            for x in range(width):
                number = numbers[layer, y, x]
                if number != before:  # rarely: regions are larger than pixels
                    before, column = number, _column(number, place)
                    column = -1 if (whole == column).any() else column
                columns[y, x, layer] = column
                if column >= 0:
                    areas[column] += 1
                    repeated |= first[column] < layer
                    first[column] = min(first[column], layer)
    if repeated:
        for y in range(height):
            for x in range(width):
                _once(columns[y, x], areas)


@kernel
def _once(columns: Int32[np.ndarray, " layers"], areas: Int64[np.ndarray, " concepts"]) -> None:
    """Leave out of a pixel what an earlier layer has as well."""
    for layer in range(1, len(columns)):
        for earlier in range(layer):
            if columns[layer] == columns[earlier] >= 0:
                areas[columns[layer]] -= 1
                columns[layer] = -1


@kernel
def _match(
    cells: Float32[np.ndarray, "h w"],
    threshold: float,
    columns: Int32[np.ndarray, "H W layers"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    intersection: Int64[np.ndarray, " concepts"],
) -> int:
    """Count the concepts of a map's lit pixels, and those pixels.

    It goes over the pixels between each cell and its three next ones, where one of the four is above the threshold.
    """
    height, width = cells.shape
    lit = 0
    for row in range(height):
        for column in range(width):
            below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
            a, b = np.float64(cells[row, column]), np.float64(cells[below, column])
            c, d = np.float64(cells[row, beside]), np.float64(cells[below, beside])
            if not max(a, b, c, d) > threshold:
                continue
            first, last = lefts[column], lefts[column + 1] - 1
            for y in range(tops[row], tops[row + 1] if first <= last else 0):
                left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                if not max(left + rights[first] * (right - left), left + rights[last] * (right - left)) > threshold:
                    continue  # along a row values rise, or fall, with the rounding too: no pixel between is lit
                for x in range(first, last + 1):
                    if left + rights[x] * (right - left) > threshold:
                        lit += 1
                        for layer in range(columns.shape[2]):
                            if columns[y, x, layer] >= 0:
                                intersection[columns[y, x, layer]] += 1
    return lit
