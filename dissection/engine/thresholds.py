"""Exact thresholds of a layer's units, from the kept cells of its feature maps.

``T_k`` is the smallest observed value of unit k that at most ``floor(q n)`` of its n activations exceed: the
``floor(q n) + 1``-th largest (Bau et al. 2017, Sec. 2.2, who approximate it). If nothing exceeds it, because the
unit saturates, ``T_k`` is the largest observed value below, so that the saturated cells are the mask; a constant unit
keeps its only value, which nothing exceeds.

All values above a unit's lower bound were kept. So the m-th largest of all values is the m-th largest of the kept
values, or the bound if that is higher. It is found digit by digit: values are turned into integers of the same order,
and three passes count the kept values by their next eleven bits (ten in the last). Memory does not grow with their
number.
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
    prefix = np.zeros(len(first), np.uint32)
    rank = np.full(len(first), strong + 1)
    has_enough = np.ones(len(first), bool)
    known = 0
    for bits in _DIGITS:
        counts = np.zeros((len(first), 1 << bits), np.int64)
        for block in cells.blocks():
            _count(block.units, block.sizes, block.values, 1, prefix, known, bits, counts)
            steady = np.flatnonzero(block.steady).astype(np.int32)
            times = block.count * cells.area
            _count(steady, np.ones_like(steady), first[steady], times, prefix, known, bits, counts)
        counts = ranks.sum(torch.from_numpy(counts)).numpy()
        _choose(counts, rank, has_enough, prefix, bits)
        known += bits
    ranked = np.where(has_enough, _value(prefix), -np.inf)
    exact = np.maximum(ranked, bounds.lower)
    exact = np.where(exact == bounds.maximum, bounds.runner_up, exact)
    return np.where(bounds.steady, bounds.maximum, exact).astype(np.float64)


@kernel
def _key(value: np.float32) -> np.uint32:
    """An integer in the order of float32 values; both zeros have the same."""
    bits = np.float32(value + np.float32(0)).view(np.uint32)
    return np.uint32(~bits) if bits >> np.uint32(31) else np.uint32(bits | np.uint32(1 << 31))


def _value(keys: np.ndarray) -> np.ndarray:
    """The float32 values of keys."""
    bits = np.where(keys >> np.uint32(31), keys & np.uint32((1 << 31) - 1), ~keys)
    return bits.astype(np.uint32).view(np.float32)


@kernel
def _choose(
    counts: Int64[np.ndarray, "units digits"],
    rank: Int64[np.ndarray, " units"],
    has_enough: Bool[np.ndarray, " units"],
    prefix: UInt32[np.ndarray, " units"],
    bits: int,
) -> None:
    """Append the next digit of each unit's ``rank``-th largest value to its prefix; ``rank`` then counts under it."""
    for unit in range(len(counts)):
        digit, above = counts.shape[1] - 1, np.int64(0)
        while digit > 0 and above + counts[unit, digit] < rank[unit]:
            above += counts[unit, digit]
            digit -= 1
        has_enough[unit] &= above + counts[unit, digit] >= rank[unit]
        rank[unit] -= above
        prefix[unit] = (prefix[unit] << np.uint32(bits)) | np.uint32(digit)


@kernel
def _count(
    units: Int32[np.ndarray, " pairs"],
    sizes: Int32[np.ndarray, " pairs"],
    values: Float32[np.ndarray, " kept"],
    times: int,
    prefix: UInt32[np.ndarray, " units"],
    known: int,
    bits: int,
    counts: Int64[np.ndarray, "units digits"],
) -> None:
    """Count values that begin with their unit's prefix of ``known`` bits by the next ``bits``, ``times`` times each."""
    start = 0
    for pair in range(len(units)):
        unit = units[pair]
        for index in range(start, start + sizes[pair]):
            key = np.int64(_key(values[index]))
            if key >> (32 - known) == prefix[unit]:
                counts[unit, (key >> (32 - known - bits)) & ((1 << bits) - 1)] += times
        start += sizes[pair]
