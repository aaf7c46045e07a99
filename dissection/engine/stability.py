"""How firmly a unit's name stands: what becomes of it when images are drawn again.

Each resample gives every image a weight: how often it is drawn, of as many draws as there are images labelled in the
same categories. Counts are sums over images, so a resample is a weighted sum of what each image counted (the bootstrap
of Efron and Tibshirani 1993, within strata).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64, Int64

    from .cell_tables import CellTables

RESAMPLES = 200
_INTERVAL = (0.025, 0.975)
_RUNNER_UP = 0.1
"""Share of resamples that a runner-up must win to be told."""


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
    weights = np.stack([_drawn(strata, np.random.default_rng([seed, resample])) for resample in range(resamples)])
    # Products of real numbers are quicker than those of integers, and as exact: no sum comes near 2^53.
    weights = weights.astype(np.float64)
    lit = tables.lit_by_image().astype(np.float64)
    labelled = tables.categories()
    unit_areas = np.stack([weights * labelled[:, category] @ lit for category in range(tables.columns.count)], -1)
    concept_areas = weights @ tables.covered_by_image().astype(np.float64)
    shared = tables.shared_by_image()
    stable: list[Stability | None] = []
    for unit, columns in enumerate(overlaps):
        if not columns:
            stable.append(None)
            continue
        images, shares = shared.of(unit, columns)
        areas = unit_areas[:, unit, tables.columns.categories[list(columns)]] + concept_areas[:, list(columns)]
        stable.append(_of_unit(columns, weights[:, images] @ shares.astype(np.float64), areas))
    return stable


def _of_unit(
    columns: Sequence[int],
    intersections: Float64[np.ndarray, "resamples overlaps"],
    areas: Float64[np.ndarray, "resamples overlaps"],
) -> Stability:
    unions = areas - intersections
    ious: Float64[np.ndarray, "resamples overlaps"] = np.zeros(intersections.shape)
    np.divide(intersections, unions, out=ious, where=unions > 0)
    winners = np.bincount(ious.argmax(1), minlength=len(columns)) / len(ious)
    rivals = ious[:, 1:].max(1, initial=0.0)
    often = [place for place in np.argsort(-winners, kind="stable") if place and winners[place] >= _RUNNER_UP]
    (low, lowest), (high, highest) = np.quantile(np.stack([ious[:, 0], ious[:, 0] - rivals], 1), _INTERVAL, axis=0)
    return Stability(
        float(winners[0]),
        (float(low), float(high)),
        (float(lowest), float(highest)),
        tuple(int(columns[place]) for place in often),
    )


def _drawn(strata: Int64[np.ndarray, " images"], generator: np.random.Generator) -> Int64[np.ndarray, " images"]:
    """How often each image is drawn."""
    weights = np.zeros(len(strata), np.int64)
    for stratum in range(int(strata.max(initial=-1)) + 1):
        members = np.flatnonzero(strata == stratum)
        weights[members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)))
    return weights
