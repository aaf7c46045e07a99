"""Exact order statistics of many units at once, over values that are streamed as often as needed.

The m-th largest value of a unit is found digit by digit: values are turned into whole numbers of the same order, and
three times over they are counted by their next eleven bits (the last time, ten). That takes the same memory however
many values there are, and counts add up over ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Int32, Int64, UInt32

    from dissection.execution.ranks import Ranks

_DIGITS = (11, 11, 10)


class RankSelection:
    """The m-th largest value of each unit.

    All values are added, :meth:`choose` is called, and so again until it :attr:`is_done`.

    Args:
        ranks: m by unit, from 1.
    """

    def __init__(self, ranks: Int64[np.ndarray, " units"]) -> None:
        self._left = ranks.copy()
        self._prefix = np.zeros(len(ranks), np.uint32)
        self._enough = np.ones(len(ranks), bool)
        self._digit = self._taken = 0
        self._counts = self._zeros()

    @property
    def is_done(self) -> bool:
        """Whether all digits are known."""
        return self._digit == len(_DIGITS)

    def add(
        self,
        units: Int32[np.ndarray, " groups"],
        values: Float32[np.ndarray, " values"],
        sizes: Int32[np.ndarray, " groups"] | None = None,
        *,
        times: int = 1,
    ) -> None:
        """Take in values, group after group.

        Args:
            units: the unit of each group.
            values: the values.
            sizes: how many of them are in each group; one unless given.
            times: how often each value counts.
        """
        sizes = np.ones_like(units) if sizes is None else sizes
        _count(units, sizes, values, times, self._prefix, self._taken, _DIGITS[self._digit], self._counts)

    def choose(self, ranks: Ranks) -> None:
        """All values have been added: choose the next digit; every rank must call it."""
        bits = _DIGITS[self._digit]
        _choose(ranks.sum(torch.from_numpy(self._counts)).numpy(), self._left, self._enough, self._prefix, bits)
        self._digit, self._taken = self._digit + 1, self._taken + bits
        if not self.is_done:
            self._counts = self._zeros()

    def values(self) -> Float32[np.ndarray, " units"]:
        """The values; ``-inf`` for a unit that has fewer."""
        return np.where(self._enough, _value(self._prefix), np.float32(-np.inf))

    def _zeros(self) -> Int64[np.ndarray, "units digits"]:
        return np.zeros((len(self._left), 1 << _DIGITS[self._digit]), np.int64)


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
