"""Exact thresholds of a layer's units, from the kept cells of its feature maps.

``T_k`` is the smallest observed value of unit k that at most ``floor(q n)`` of its n activations exceed: the
``floor(q n) + 1``-th largest (Bau et al. 2017, Sec. 2.2, who approximate it). If nothing exceeds it, because the
unit saturates, ``T_k`` is the largest observed value below, so that the saturated cells are the mask; a constant unit
keeps its only value, which nothing exceeds.

All values above a unit's lower bound were kept. So the m-th largest of all values is the m-th largest of those that
were kept, or the bound itself where that is higher; :mod:`dissection.engine.rank_selection` finds it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from .rank_selection import RankSelection

if TYPE_CHECKING:
    from jaxtyping import Float64

    from dissection.execution.ranks import Ranks

    from .bounds import Bounds
    from .cells import Cells


def strong_values(quantile: float, values: int) -> int:
    """How many of a unit's values may exceed its threshold: ``floor(q n)``, with q as the decimal that was typed."""
    return math.floor(Fraction(repr(quantile)) * values)


def thresholds(cells: Cells, bounds: Bounds, strong: int, ranks: Ranks) -> Float64[np.ndarray, " units"]:
    """``T_k`` of each unit over the images of all ranks; every rank must call it, and gets the same result.

    Args:
        cells: the cells that this rank kept.
        bounds: the bounds of all ranks, with this rank's first values, as :meth:`Bounds.pool` leaves them.
        strong: ``floor(q n)`` with the n of all ranks.
        ranks: the processes that share the images.
    """
    first = bounds.first
    selection = RankSelection(np.full(len(first), strong + 1))
    while not selection.is_done:
        for block in cells.blocks():
            selection.add(block.units, block.values, block.sizes)
            steady = np.flatnonzero(block.steady).astype(np.int32)
            selection.add(steady, first[steady], times=block.count * cells.area)
        selection.choose(ranks)
    ranked = selection.values()
    exact = np.maximum(ranked, bounds.lower)
    exact = np.where(exact == bounds.maximum, bounds.runner_up, exact)
    return np.where(bounds.steady, bounds.maximum, exact).astype(np.float64)
