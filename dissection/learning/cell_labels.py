"""Labels at the cells of a layer's map: which concepts cover most of a cell, and which are not in it at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float64, Int32, UInt8

    from dissection.vocabulary import Concept, Labels

ABSENT, PRESENT, UNKNOWN = 0, 1, 2
_MOST = 0.5
"""A concept is at a cell if it covers at least this share of it."""


def cell_labels(
    labels: Labels,
    concepts: Mapping[int, Concept],
    numbers: Sequence[int],
    categories: Sequence[str],
    grid: tuple[int, int],
) -> UInt8[np.ndarray, "cells concepts"]:
    """Of each cell, row by row, and concept: 1 where it covers half of the cell, 0 where it is not in it, 2 otherwise.

    A concept of a category in which the image is not labelled is unknown at every cell.

    Args:
        labels: the labels of an image.
        concepts: the concepts of the dataset.
        numbers: the concepts that are asked for.
        categories: their categories.
        grid: rows and columns of the map.
    """
    present = {int(number) for layer in labels.maps for number in np.unique(layer)} - {0}
    labelled = {concepts[number].category for number in present | set(labels.whole) if number in concepts}
    answer = np.full((grid[0] * grid[1], len(numbers)), UNKNOWN, np.uint8)
    for column, (number, category) in enumerate(zip(numbers, categories, strict=True)):
        if category not in labelled:
            continue
        answer[:, column] = ABSENT
        if number in labels.whole:
            answer[:, column] = PRESENT
        elif number in present:
            shares = _shares(labels.maps, number, grid).reshape(-1)
            answer[:, column] = np.where(shares >= _MOST, PRESENT, np.where(shares > 0, UNKNOWN, ABSENT))
    return answer


def _shares(maps: Int32[np.ndarray, "layers h w"], number: int, grid: tuple[int, int]) -> Float64[np.ndarray, "a b"]:
    """The share of each cell that a concept covers on some layer of the label map."""
    covered = (maps == number).any(0)
    height, width = covered.shape
    rows, columns = _bounds(height, grid[0]), _bounds(width, grid[1])
    sums = np.zeros((height + 1, width + 1))
    sums[1:, 1:] = covered.cumsum(0).cumsum(1)
    totals = np.diff(np.diff(sums[np.ix_(rows, columns)], axis=0), axis=1)
    areas = np.outer(np.diff(rows), np.diff(columns))
    shares: Float64[np.ndarray, "a b"] = np.divide(totals, areas, out=np.zeros(grid), where=areas > 0)
    return shares


def _bounds(pixels: int, cells: int) -> np.ndarray:
    """Where cells begin and end, in whole pixels."""
    return np.round(np.linspace(0, pixels, cells + 1)).astype(np.int64)
