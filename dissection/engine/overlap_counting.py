"""Counts the pixels where masks and labels overlap in a few images; see :mod:`dissection.engine.overlaps`.

Only pixels that can be lit by the cells around them are visited. A concept on several label maps of an image counts
once per pixel; a label of the whole image counts at every pixel.
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
        images: the image of each map, ascending.
        units: the unit of each map.
        maps: the maps; only cells above the unit's threshold and their eight neighbours need to be correct, other cells
            must not exceed it.
        thresholds: ``T_k`` of every unit.
    """
    numbers = np.concatenate([image_labels.maps.ravel() for image_labels in labels])
    sizes = np.array([image_labels.maps.shape for image_labels in labels])
    whole = np.array([number for image_labels in labels for number in image_labels.whole], np.int64)
    wholes = np.array([len(image_labels.whole) for image_labels in labels])
    place = np.full(int(columns.numbers.max(initial=0)) + 1, -1)
    _mark_occurring(numbers, whole, place)
    occurring = np.flatnonzero(place[columns.numbers] >= 0)
    place[:] = -1
    place[columns.numbers[occurring]] = np.arange(len(occurring))
    rows, row_of = _ranked(units, len(thresholds))
    counts = Counts(
        rows,
        occurring,
        np.zeros((len(rows), len(occurring)), np.int64),
        np.zeros((len(rows), columns.count), np.int64),
        np.zeros(len(occurring), np.int64),
        np.zeros(len(occurring), np.int64),
        sum(image_labels.maps.shape[1] * image_labels.maps.shape[2] for image_labels in labels),
    )
    _count_images(
        numbers, sizes, whole, wholes, place, columns.categories[occurring],
        maps, thresholds[units], row_of, np.searchsorted(images, np.arange(len(labels) + 1)),
        counts.intersection, counts.unit_area, counts.concept_area, counts.concept_images,
    )  # fmt: skip
    return counts


def _ranked(
    units: Int32[np.ndarray, " pairs"], count: int
) -> tuple[Int32[np.ndarray, " rows"], Int64[np.ndarray, " pairs"]]:
    """The units that occur, ascending, and the index of each pair's unit among them."""
    occurs = np.zeros(count, bool)
    occurs[units] = True
    return np.flatnonzero(occurs).astype(np.int32), (occurs.cumsum() - 1)[units]


@kernel
def _mark_occurring(
    numbers: Int32[np.ndarray, " pixels"], whole: Int64[np.ndarray, " whole"], place: Int64[np.ndarray, " numbers"]
) -> None:
    """Give every number that occurs a place; numbers that no concept can have are left out."""
    for number in whole:
        if 0 <= number < len(place):
            place[number] = 0
    previous = np.int32(-1)
    for number in numbers:
        if number != previous:
            previous = number
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
    """Add the counts of images one after another, in one call, since every call waits for Python's lock once."""
    pixel_start = whole_start = 0
    for image in range(len(sizes)):
        layers, height, width = sizes[image]
        pairs = slice(edges[image], edges[image + 1])
        _count_image(
            numbers[pixel_start : pixel_start + layers * height * width].reshape(layers, height, width),
            place,
            _columns(whole[whole_start : whole_start + wholes[image]], place),
            categories,
            maps[pairs],
            thresholds[pairs],
            rows[pairs],
            *steps(maps.shape[1], height),
            *steps(maps.shape[2], width),
            intersection,
            unit_area,
            concept_area,
            concept_images,
        )
        pixel_start += layers * height * width
        whole_start += wholes[image]


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
    """Add the counts of an image; ``whole`` holds the columns of the concepts that cover all of it."""
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
        lit = match(maps[pair], thresholds[pair], columns, tops, downs, lefts, rights, intersection[row])
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
    """Fill in the columns of each pixel's concepts, each once and -1 for none, and the area of each concept.

    A concept of the whole image is "none" here, so that it counts once.
    """
    layers, height, width = numbers.shape
    first = np.full(len(areas), layers)
    repeated = False
    for layer in range(layers):
        previous, column = np.int32(-1), -1
        for y in range(height):
            for x in range(width):
                number = numbers[layer, y, x]
                if number != previous:  # rarely: regions are larger than pixels
                    previous, column = number, _column(number, place)
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
    """Remove from a pixel the concepts that an earlier layer also has."""
    for layer in range(1, len(columns)):
        for earlier in range(layer):
            if columns[layer] == columns[earlier] >= 0:
                areas[columns[layer]] -= 1
                columns[layer] = -1


@kernel
def match(
    cells: Float32[np.ndarray, "h w"],
    threshold: float,
    columns: Int32[np.ndarray, "H W layers"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    intersection: Int64[np.ndarray, " concepts"],
) -> int:
    """Count the lit pixels of a map, by concept and in all.

    It visits the pixels between a cell and the next three only if one of the four is above the threshold.
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
                    continue  # values only rise or only fall along a row, even rounded: no pixel between is lit
                for x in range(first, last + 1):
                    if left + rights[x] * (right - left) > threshold:
                        lit += 1
                        for layer in range(columns.shape[2]):
                            if columns[y, x, layer] >= 0:
                                intersection[columns[y, x, layer]] += 1
    return lit
