"""How firmly a unit's name stands: what becomes of it when images are drawn again.

Each resample gives every image a weight: how often it is drawn, of as many draws as there are images labelled in the
same categories. Counts are sums over images, so a resample is a weighted sum of what each image counted (the bootstrap
of Efron and Tibshirani 1993, within strata).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel
from dissection.execution.slices import in_slices
from dissection.vocabulary import INTERVAL, RUNNER_UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64, Int64, UInt32

    from .cell_tables import CellTables

RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Stability:
    """How a unit's best overlap fares when images are drawn again.

    Attributes:
        kept: share of resamples in which the best concept stays the best.
        iou: 95 % interval of its IoU.
        margin: 95 % interval of its IoU less the greatest of the others; the IoU itself where there are none.
        runners_up: columns of the concepts that are best in at least a tenth of the resamples, most often first.
    """

    kept: float
    iou: tuple[float, float]
    margin: tuple[float, float]
    runners_up: tuple[int, ...]


def stability(
    tables: CellTables, overlaps: Sequence[Sequence[int]], *, resamples: int = RESAMPLES, seed: int
) -> list[Stability | None]:
    """Draw images again and look at each unit's overlaps; ``None`` for a unit without any.

    Args:
        tables: units and concepts on cells.
        overlaps: the columns of each unit's concepts that are compared, best first.
        resamples: how often images are drawn.
        seed: of the draws; each has a generator of its own.
    """
    strata = tables.strata()
    weights = np.stack([_drawn(strata, np.random.default_rng([seed, resample])) for resample in range(resamples)], 1)
    # Products of real numbers are quicker than those of integers, and as exact: no sum comes near 2^53.
    weights = weights.astype(np.float64)
    lit = tables.lit_by_image().astype(np.float64).T
    labelled = tables.categories()
    unit_areas = np.stack([lit @ (labelled[:, [category]] * weights) for category in range(tables.columns.count)], 1)
    concept_areas = tables.covered_by_image().astype(np.float64).T @ weights
    resampled = _Resampled.empty(overlaps, resamples)
    entries, rows = tables.entries(), np.arange(tables.images)
    in_slices(
        _resample,
        len(overlaps),
        entries.units, entries.images, entries.labelled_as(rows), entries.points,
        entries.rows, entries.columns, entries.pixels,
        weights, unit_areas, concept_areas, tables.columns.categories,
        resampled.starts, resampled.columns, resampled.wins, resampled.ious, resampled.margins,
        numbers=resamples * len(entries.points),
    )  # fmt: skip
    return resampled.stabilities()


@dataclass(frozen=True, slots=True, eq=False)
class _Resampled:
    """What became of the overlaps of all units.

    Attributes:
        starts: where the overlaps of each unit begin, and their number.
        columns: the concept of each overlap.
        wins: how often it was the best of its unit.
        ious: the IoU of each unit's first overlap.
        margins: that less the greatest of the others.
    """

    starts: Int64[np.ndarray, " units_and_end"]
    columns: Int64[np.ndarray, " overlaps"]
    wins: Int64[np.ndarray, " overlaps"]
    ious: Float64[np.ndarray, "units resamples"]
    margins: Float64[np.ndarray, "units resamples"]

    @classmethod
    def empty(cls, overlaps: Sequence[Sequence[int]], resamples: int) -> _Resampled:
        starts = np.cumsum([0, *map(len, overlaps)])
        columns = np.array(list(chain.from_iterable(overlaps)), np.int64)
        ious = np.zeros((len(overlaps), resamples))
        return cls(starts, columns, np.zeros_like(columns), ious, np.zeros_like(ious))

    def stabilities(self) -> list[Stability | None]:
        """Of each unit."""
        ious, margins = (np.quantile(values, INTERVAL, axis=1).T.tolist() for values in (self.ious, self.margins))
        resamples = self.ious.shape[1]
        stable: list[Stability | None] = []
        for unit, (start, end) in enumerate(pairwise(self.starts.tolist())):
            if start == end:
                stable.append(None)
                continue
            wins = self.wins[start:end]
            often = [
                place for place in np.argsort(-wins, kind="stable") if place and wins[place] / resamples >= RUNNER_UP
            ]
            runners_up = tuple(int(self.columns[start + place]) for place in often)
            stable.append(Stability(int(wins[0]) / resamples, tuple(ious[unit]), tuple(margins[unit]), runners_up))
        return stable


@kernel
def _resample(  # noqa: PLR0913, PLR0917
    units: UInt32[np.ndarray, " units_and_end"],
    images: UInt32[np.ndarray, " lit"],
    cells: UInt32[np.ndarray, " lit"],
    points: UInt32[np.ndarray, " lit"],
    rows: UInt32[np.ndarray, " cells_and_end"],
    columns: UInt32[np.ndarray, " labelled"],
    pixels: UInt32[np.ndarray, " labelled"],
    weights: Float64[np.ndarray, "images resamples"],
    unit_areas: Float64[np.ndarray, "units categories resamples"],
    concept_areas: Float64[np.ndarray, "concepts resamples"],
    categories: Int64[np.ndarray, " concepts"],
    starts: Int64[np.ndarray, " units_and_end"],
    overlaps: Int64[np.ndarray, " overlaps"],
    wins: Int64[np.ndarray, " overlaps"],
    ious: Float64[np.ndarray, "units resamples"],
    margins: Float64[np.ndarray, "units resamples"],
    first: int,
    last: int,
) -> None:
    """Weigh what each unit shares with its concepts by how often images are drawn, and compare the quotients."""
    place = np.full(len(categories), -1)
    for unit in range(first, last):
        compared = overlaps[starts[unit] : starts[unit + 1]]
        place[compared] = np.arange(len(compared))
        shared = np.zeros((len(compared), weights.shape[1]))
        for entry in range(units[unit], units[unit + 1]):
            for label in range(rows[cells[entry]], rows[cells[entry] + 1]):
                if place[columns[label]] >= 0:
                    amount = np.float64(points[entry]) * np.float64(pixels[label])
                    shared[place[columns[label]]] += amount * weights[images[entry]]
        place[compared] = -1
        if len(compared):
            areas = unit_areas[unit], concept_areas, categories
            _compare(compared, shared, *areas, wins[starts[unit] : starts[unit + 1]], ious[unit], margins[unit])


@kernel
def _compare(
    columns: Int64[np.ndarray, " overlaps"],
    shared: Float64[np.ndarray, "overlaps resamples"],
    unit_areas: Float64[np.ndarray, "categories resamples"],
    concept_areas: Float64[np.ndarray, "concepts resamples"],
    categories: Int64[np.ndarray, " concepts"],
    wins: Int64[np.ndarray, " overlaps"],
    ious: Float64[np.ndarray, " resamples"],
    margins: Float64[np.ndarray, " resamples"],
) -> None:
    """The quotients of one unit: which is the greatest, the first one, and how far that is from the others."""
    for resample in range(len(ious)):
        best, greatest, rival = 0, 0.0, 0.0
        for index, column in enumerate(columns):
            areas = unit_areas[categories[column], resample] + concept_areas[column, resample]
            union = areas - shared[index, resample]
            iou = shared[index, resample] / union if union > 0 else 0.0
            if index == 0:
                ious[resample] = greatest = iou
            else:
                rival = max(rival, iou)
            if iou > greatest:
                best, greatest = index, iou
        wins[best] += 1
        margins[resample] = ious[resample] - rival


def _drawn(strata: Int64[np.ndarray, " images"], generator: np.random.Generator) -> Int64[np.ndarray, " images"]:
    """How often each image is drawn."""
    weights = np.zeros(len(strata), np.int64)
    for stratum in range(int(strata.max(initial=-1)) + 1):
        members = np.flatnonzero(strata == stratum)
        weights[members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)))
    return weights
