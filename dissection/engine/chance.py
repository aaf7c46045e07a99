"""How likely a name is by chance: a permutation null of the greatest IoU over all concepts.

A unit is named after the concept of greatest IoU, so a name must be held against the *greatest* IoU that a unit reaches
where labels have nothing to do with its maps. A draw deals the label tables of images out anew among images that are
labelled in the same categories. Over R draws (Phipson and Smyth 2010)::

    p = (1 + #{null >= observed}) / (R + 1)

Where no draw comes up to the observed value, the tail of a Gumbel distribution with the mean and deviation of the R
maxima says how much less likely it is (Knijnenburg et al. 2009 fit the tails of permutation nulls). Over the units that
overlap any concept, ``q`` is the rate of false names among all whose ``p`` is as small (Benjamini and Hochberg 1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import pi, sqrt
from operator import or_
from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel
from dissection.execution.ranks import Ranks
from dissection.execution.threads import in_threads
from dissection.vocabulary import DRAWS

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int64, UInt32

    from .cell_tables import CellTables, Entries


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """What chance says of each unit's best overlap.

    Attributes:
        observed: the greatest IoU of each unit, on cells.
        p: how likely as great a one is by chance; 1 for a unit that overlaps no concept.
        q: the rate of false names among the units whose ``p`` is as small; 1 likewise.
        alone: share of the images that no other image shares its categories with: they are not dealt anew.
    """

    observed: Float64[np.ndarray, " units"]
    p: Float64[np.ndarray, " units"]
    q: Float64[np.ndarray, " units"]
    alone: float


def chance(
    tables: CellTables,
    eligible: Bool[np.ndarray, " concepts"],
    *,
    draws: int = DRAWS,
    seed: int,
    ranks: Ranks | None = None,
) -> Chance:
    """Hold each unit's greatest IoU against what it reaches with labels of other images.

    Args:
        tables: units and concepts on cells.
        eligible: which concepts can become a name.
        draws: how often labels are dealt anew.
        seed: of the draws; each has a generator of its own.
        ranks: the processes that share the draws; every one must call it with the same tables.
    """
    strata, greatest = tables.strata(), _Greatest(tables.entries(), np.where(eligible, tables.areas(), 0))
    observed = greatest(np.arange(tables.images))
    ranks = ranks or Ranks()
    mine = range(ranks.number, draws, ranks.count)
    sources = (dealt(strata, np.random.default_rng([seed, draw])) for draw in mine)
    drawn = dict(zip(mine, in_threads(greatest, sources), strict=True))
    everyones = reduce(or_, ranks.gather(drawn))
    maxima = np.stack([everyones[draw] for draw in range(draws)])
    p = np.where(observed > 0, p_values(observed, maxima), 1.0)
    sizes = np.bincount(strata)
    return Chance(observed, p, q_values(p, observed > 0), float((sizes[strata] == 1).mean()))


def p_values(
    observed: Float64[np.ndarray, " units"], maxima: Float64[np.ndarray, "draws units"]
) -> Float64[np.ndarray, " units"]:
    """The probability of a maximum at least as great as each observed one; see this module's description."""
    counted = (1 + (maxima >= observed).sum(0)) / (len(maxima) + 1)
    scale = maxima.std(0, ddof=1) * sqrt(6) / pi
    is_beyond = (observed > maxima.max(0)) & (scale > 0)
    excess = np.zeros(len(observed))
    np.divide(observed - (maxima.mean(0) - np.euler_gamma * scale), scale, out=excess, where=is_beyond)
    tail = -np.expm1(-np.exp(-excess))
    p: Float64[np.ndarray, " units"] = np.where(is_beyond, np.minimum(counted, tail), counted)
    return p


def q_values(p: Float64[np.ndarray, " units"], tested: Bool[np.ndarray, " units"]) -> Float64[np.ndarray, " units"]:
    """The least false discovery rate at which each tested unit is still found (Benjamini and Hochberg 1995)."""
    q = np.ones(len(p))
    indices = np.flatnonzero(tested)
    order = indices[np.argsort(-p[indices], kind="stable")]  # greatest first
    ranks = np.arange(len(order), 0, -1)
    q[order] = np.minimum.accumulate(np.minimum(p[order] * len(order) / np.maximum(ranks, 1), 1.0))
    return q


@dataclass(frozen=True, slots=True, eq=False)
class _Greatest:
    """The greatest IoU of each unit where images have the labels of others, their sources.

    Attributes:
        entries: units and concepts on cells.
        areas: ``A + G`` of each unit and concept; 0 for a concept that cannot become a name.
    """

    entries: Entries
    areas: Int64[np.ndarray, "units concepts"]

    def __call__(self, sources: Int64[np.ndarray, " images"]) -> Float64[np.ndarray, " units"]:
        entries, greatest = self.entries, np.zeros(len(self.areas))
        _look(
            entries.units, entries.labelled_as(sources), entries.points, entries.rows, entries.columns, entries.pixels,
            self.areas, greatest,
        )  # fmt: skip
        return greatest


@kernel
def _look(
    units: UInt32[np.ndarray, " units_and_end"],
    cells: UInt32[np.ndarray, " lit"],
    points: UInt32[np.ndarray, " lit"],
    rows: UInt32[np.ndarray, " cells_and_end"],
    columns: UInt32[np.ndarray, " labelled"],
    pixels: UInt32[np.ndarray, " labelled"],
    areas: Int64[np.ndarray, "units concepts"],
    greatest: Float64[np.ndarray, " units"],
) -> None:
    """Sum up what each unit shares with each concept, and keep the greatest quotient; quicker than a sparse product."""
    shared = np.zeros(areas.shape[1], np.int64)
    for unit in range(len(greatest)):
        shared[:] = 0
        for entry in range(units[unit], units[unit + 1]):
            for place in range(rows[cells[entry]], rows[cells[entry] + 1]):
                shared[columns[place]] += np.int64(points[entry]) * np.int64(pixels[place])
        for column in range(len(shared)):
            if shared[column] > 0 and areas[unit, column] > 0:
                iou = shared[column] / (areas[unit, column] - shared[column])
                greatest[unit] = max(greatest[unit], iou)


def dealt(strata: Int64[np.ndarray, " images"], generator: np.random.Generator) -> Int64[np.ndarray, " images"]:
    """The image whose labels each image gets, of its stratum."""
    source = np.arange(len(strata))
    for stratum in range(int(strata.max(initial=-1)) + 1):
        members = np.flatnonzero(strata == stratum)
        source[members] = generator.permutation(members)
    return source
