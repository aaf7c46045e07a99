"""Exact thresholds of a layer's units, from the cells that were kept of its feature maps.

``T_k`` is the smallest observed value of unit k that at most ``floor(q n)`` of its n activations exceed: the
``floor(q n) + 1``-th largest (Bau et al. 2017, Sec. 2.2, who approximate it). Where nothing exceeds it, because the
unit saturates, ``T_k`` is the largest observed value below, so that the saturated cells are the mask; a unit that never
varies keeps its only value, which nothing exceeds.

All values above a unit's lower bound were kept. So the m-th largest of all values is the m-th largest of those that
were kept, or the bound itself where that is higher. It is found digit by digit: values are turned into whole numbers of
the same order, and three times over those kept are counted by their next eleven bits (the last time, ten). That takes
the same memory however many were kept.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int32, Int64, UInt32

    from dissection.execution.ranks import Ranks

    from .bounds import Bounds
    from .cells import Cells

_DIGITS = (11, 11, 10)


def strong_values(quantile: float, values: int) -> int:
    """How many of a unit's values may exceed its threshold: ``floor(q n)``, with q as the decimal that was written."""
    return math.floor(Fraction(repr(quantile)) * values)


def thresholds(cells: Cells, bounds: Bounds, strong: int, ranks: Ranks) -> Float64[np.ndarray, " units"]:
    """``T_k`` of each unit over what all ranks have seen; every rank must call it, and gets the same.

    Args:
        cells: what this rank kept.
        bounds: what all ranks have seen, save that the first values are this rank's: :meth:`Bounds.pool`.
        strong: ``floor(q n)`` with the n of all ranks.
        ranks: the processes that share the images.
    """
    first = bounds.first
    prefix = np.zeros(len(first), np.uint32)
    left = np.full(len(first), strong + 1)
    enough = np.ones(len(first), bool)
    taken = 0
    for bits in _DIGITS:
        counts = np.zeros((len(first), 1 << bits), np.int64)
        for block in cells.blocks():
            _count(block.units, block.sizes, block.values, 1, prefix, taken, bits, counts)
            steady = np.flatnonzero(block.steady).astype(np.int32)
            times = block.count * cells.area
            _count(steady, np.ones_like(steady), first[steady], times, prefix, taken, bits, counts)
        counts = ranks.sum(torch.from_numpy(counts)).numpy()
        _choose(counts, left, enough, prefix, bits)
        taken += bits
    ranked = np.where(enough, _value(prefix), -np.inf)
    exact = np.maximum(ranked, bounds.lower)
    exact = np.where(exact == bounds.maximum, bounds.runner_up, exact)
    return np.where(bounds.steady, bounds.maximum, exact).astype(np.float64)


@kernel
def _key(value: np.float32) -> np.uint32:
    """A whole number in the order of float32 values; both zeros are one."""
    bits = np.float32(value + np.float32(0)).view(np.uint32)
    return np.uint32(~bits) if bits >> np.uint32(31) else np.uint32(bits | np.uint32(1 << 31))


def _value(keys: np.ndarray) -> np.ndarray:
    """The values of keys."""
    bits = np.where(keys >> np.uint32(31), keys & np.uint32((1 << 31) - 1), ~keys)
    return bits.astype(np.uint32).view(np.float32)


@kernel
def _choose(
    counts: Int64[np.ndarray, "units digits"],
    left: Int64[np.ndarray, " units"],
    enough: Bool[np.ndarray, " units"],
    prefix: UInt32[np.ndarray, " units"],
    bits: int,
) -> None:
    """Add the digit of each unit's ``left``-th largest value to its prefix; ``left`` is its rank among those then."""
    for unit in range(len(counts)):
        digit, more = counts.shape[1] - 1, np.int64(0)
        while digit > 0 and more + counts[unit, digit] < left[unit]:
            more += counts[unit, digit]
            digit -= 1
        enough[unit] &= more + counts[unit, digit] >= left[unit]
        left[unit] -= more
        prefix[unit] = (prefix[unit] << np.uint32(bits)) | np.uint32(digit)


@kernel
def _count(
    units: Int32[np.ndarray, " pairs"],
    sizes: Int32[np.ndarray, " pairs"],
    values: Float32[np.ndarray, " kept"],
    times: int,
    prefix: UInt32[np.ndarray, " units"],
    taken: int,
    bits: int,
    counts: Int64[np.ndarray, "units digits"],
) -> None:
    """Count values, each ``times`` times, that begin with their unit's first ``taken`` bits, by their next ``bits``."""
    start = 0
    for pair in range(len(units)):
        unit = units[pair]
        for at in range(start, start + sizes[pair]):
            key = np.int64(_key(values[at]))
            if key >> (32 - taken) == prefix[unit]:
                counts[unit, (key >> (32 - taken - bits)) & ((1 << bits) - 1)] += times
        start += sizes[pair]
