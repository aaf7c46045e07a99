"""Counts, in a few images, where units' masks and concepts' labels overlap; see :mod:`dissection.engine.overlaps`.

Only pixels between cells that can be lit are visited. The same concept on several label maps of an image counts once at
a pixel; a label of the whole image counts at every pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

from .overlaps import Counts
from .upsampling import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32, Float64, Int32, Int64

    from dissection.vocabulary import Labels

    from .overlaps import Columns


def count_overlaps(
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
