"""How often a concept is there when a unit responds: counts of images, as they are compared and by strength.

A unit is *lit* in an image where some cell of its map exceeds the threshold: the layer's own grid, so that no
resolution enters. Only images that are labelled in a concept's category say anything about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel
from dissection.execution.statistic import ArrayStatistic
from dissection.vocabulary import QUARTERS, Quarter, Truth

from .rank_selection import RankSelection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32, Int32, Int64

    from dissection.execution.ranks import Ranks

    from .evidence_blocks import Responses
    from .overlaps import Columns
    from .peaks import PeakSource


class TruthCounts(ArrayStatistic):
    """How many images are labelled in each category and carry each concept, and by unit how many of them are lit."""

    ARRAYS = ("_labelled", "_carriers", "_lit", "_hits")

    def __init__(self, units: int, columns: Columns) -> None:
        self._columns = columns
        self._labelled = np.zeros(columns.count, np.int64)
        self._carriers = np.zeros(len(columns.numbers), np.int64)
        self._lit = np.zeros((units, columns.count), np.int64)
        self._hits = np.zeros((units, len(columns.numbers)), np.int64)

    def add(self, block: Responses) -> None:
        """Take in a few images."""
        self._carriers += np.bincount(block.carried, minlength=len(self._carriers))
        images = int(max(block.images.max(initial=-1), block.carriers.max(initial=-1))) + 1
        labelled = np.zeros((images, self._columns.count), bool)
        labelled[block.carriers, self._columns.categories[block.carried]] = True
        self._labelled += labelled.sum(0)
        edges = np.searchsorted(block.carriers, np.arange(images + 1))
        _tally(
            block.images, block.units, edges, block.carried, self._columns.categories, self._lit, self._hits,
        )  # fmt: skip

    def pool(self, ranks: Ranks) -> None:
        """Take in the counts of all ranks; every rank must call it."""
        for name in self.ARRAYS:
            setattr(self, name, ranks.sum(torch.from_numpy(getattr(self, name))).numpy())

    def lit_images(self, unit: int, column: int) -> int:
        """Images labelled in a concept's category on which a unit is lit."""
        return int(self._lit[unit, self._columns.categories[column]])

    def of(self, unit: int, column: int) -> Truth:
        """How often a concept is there when a unit is lit, and when not."""
        lit, hits = self.lit_images(unit, column), int(self._hits[unit, column])
        labelled = int(self._labelled[self._columns.categories[column]])
        return Truth(lit, hits, labelled - lit, int(self._carriers[column]) - hits)


def quarters(source: PeakSource, lit: Int64[np.ndarray, " units"], ranks: Ranks) -> list[tuple[Quarter, ...]]:
    """The lit images of each unit by the strength of its response, a quarter each; every rank must call it.

    The weakest peak of the quarter ``j`` is the ``floor(j n / 4) + 1``-th smallest of all ``n``; equal peaks are in one
    quarter.

    Args:
        source: the responses.
        lit: how many of them each unit has on all ranks.
        ranks: the processes that share the images.
    """
    edges = _smallest(source, [lit - quarter * lit // QUARTERS for quarter in range(1, QUARTERS)], ranks)
    counts = np.zeros((len(lit), QUARTERS, 2), np.int64)
    least = np.full((len(lit), QUARTERS), np.inf, np.float32)
    for block in source.blocks():
        quarter = (block.strengths >= edges[:, block.units]).sum(0)
        np.add.at(counts[..., 0], (block.units, quarter), 1)
        np.add.at(counts[..., 1], (block.units, quarter), block.hits)
        np.minimum.at(least, (block.units, quarter), block.strengths)
    counts = ranks.sum(torch.from_numpy(counts)).numpy()
    least = ranks.smallest(torch.from_numpy(least)).numpy()
    return [
        tuple(
            Quarter(float(least[unit, quarter]), *counts[unit, quarter].tolist())
            for quarter in range(QUARTERS)
            if counts[unit, quarter, 0]
        )
        for unit in range(len(lit))
    ]


def strongest_carriers(source: PeakSource, units: int, count: int, ranks: Ranks) -> Int64[np.ndarray, "units count"]:
    """The images that show what each unit stands for and excite the unit most, strongest first; then -1.

    Equally strong ones are in their order. Every rank must call it.
    """
    images, peaks = np.full((units, count), -1), np.full((units, count), -np.inf, np.float32)
    for block in source.blocks():
        hits = block.hits
        numbers = block.first + block.images[hits].astype(np.int64)
        _rank(block.units[hits], block.strengths[hits], numbers, images, peaks)
    for other_images, other_peaks in ranks.gather((images.copy(), peaks.copy())):
        for unit in range(units):
            there = other_images[unit] >= 0
            numbers = np.full(there.sum(), unit, np.int32)
            _rank(numbers, other_peaks[unit][there], other_images[unit][there], images, peaks)
    return images


def _smallest(
    source: PeakSource, places: Sequence[Int64[np.ndarray, " units"]], ranks: Ranks
) -> Float32[np.ndarray, "places units"]:
    """The peaks of each unit at some places, counted from the greatest peak."""
    selections = [RankSelection(place) for place in places]
    while not selections[0].is_done:
        for block in source.blocks():
            for selection in selections:
                selection.add(block.units, block.strengths)
        for selection in selections:
            selection.choose(ranks)
    return np.stack([selection.values() for selection in selections])


@kernel
def _rank(
    units: Int32[np.ndarray, " hits"],
    strengths: Float32[np.ndarray, " hits"],
    hits: Int64[np.ndarray, " hits"],
    images: Int64[np.ndarray, "units count"],
    peaks: Float32[np.ndarray, "units count"],
) -> None:
    """Put images where they belong in lists that are in order, each once."""
    for hit in range(len(units)):
        unit, peak, image = units[hit], strengths[hit], hits[hit]
        row, values = images[unit], peaks[unit]
        place = len(row)
        while place > 0 and (values[place - 1] < peak or (values[place - 1] == peak and row[place - 1] > image)):
            place -= 1
        if place == len(row) or (place > 0 and row[place - 1] == image):
            continue
        for later in range(len(row) - 1, place, -1):
            row[later], values[later] = row[later - 1], values[later - 1]
        row[place], values[place] = image, peak


@kernel
def _tally(
    images: Int32[np.ndarray, " lit"],
    units: Int32[np.ndarray, " lit"],
    edges: Int64[np.ndarray, " edges"],
    carried: Int32[np.ndarray, " carried"],
    categories: Int64[np.ndarray, " concepts"],
    lit: Int64[np.ndarray, "units categories"],
    hits: Int64[np.ndarray, "units concepts"],
) -> None:
    labelled = np.zeros(lit.shape[1], np.bool_)
    current = -1
    for pair in range(len(images)):
        image, unit = images[pair], units[pair]
        concepts = carried[edges[image] : edges[image + 1]]
        if image != current:
            current = image
            labelled[:] = False
            for column in concepts:
                labelled[categories[column]] = True
        for column in concepts:
            hits[unit, column] += 1
        for category in range(len(labelled)):
            lit[unit, category] += labelled[category]
