"""Extremes of each unit and a lower bound of its threshold, from a stream of feature maps.

The final threshold of a unit is the m-th largest of its n activations, m = ``floor(q n) + 1``. If m of the values seen
so far are at least ``b``, then the threshold is at least ``b``, and a map that stays under ``b`` has no mask. To find
such a ``b``, values are counted in bins: it is the lower edge of the highest bin with m values in or above it. Bins are
multiples of a power of two, so that edges are exact; when a value lies beyond the last bin, pairs of bins are merged.
Memory does not grow with the images, and values under the bound are not even counted.

If more than q of a unit's values equal its maximum, its threshold will be the largest value below (see
:mod:`dissection.engine.thresholds`), so no bound rises above that value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel
from dissection.execution.slices import in_slices
from dissection.execution.statistic import ArrayStatistic

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64, Int32, Int64

    from dissection.execution.ranks import Ranks

BINS = 512
_ZERO = 128
"""The bin that starts at 0; the first bin holds everything below the second and has no edge."""

_FINEST = 2.0**60


class Bounds(ArrayStatistic):
    """Extremes and threshold bounds of each unit over the values seen so far.

    Args:
        units: number of units.
        strong: ``floor(q n)``, how many of a unit's values may exceed its threshold.

    Attributes:
        first: the first value seen, by unit.
        maximum: the largest.
        runner_up: the largest below the maximum; ``-inf`` while all values of a unit are equal.
        lower: lower bound of the final threshold; ``-inf`` until enough values were seen.
    """

    ARRAYS = ("first", "maximum", "runner_up", "lower", "_counts", "_scale", "_bin", "_above")

    def __init__(self, units: int, strong: int) -> None:
        self._rank = strong + 1
        self.first = np.zeros(units, np.float32)
        self.maximum = np.full(units, -np.inf, np.float32)
        self.runner_up = np.full(units, -np.inf, np.float32)
        self.lower = np.full(units, -np.inf, np.float32)
        self._counts = np.zeros((units, BINS), np.int32)
        self._scale = np.full(units, _FINEST)
        self._bin = np.zeros(units, np.int64)
        self._above = np.zeros(units, np.int64)

    def add(
        self, maps: Float32[np.ndarray, "images units cells"]
    ) -> tuple[Float32[np.ndarray, "images units"], Bool[np.ndarray, " images"]]:
        """Add the maps of some images.

        Returns:
            Each map's maximum, and for each image whether all its values are finite. After an image with other values
            all statistics are meaningless.
        """
        maxima = np.empty(maps.shape[:2], np.float32)
        finite = np.ones((maps.shape[1], len(maps)), bool)
        if len(maps):
            unseen = self.maximum == -np.inf
            self.first[unseen] = maps[0, unseen, 0]
            in_slices(
                _scan, maps.shape[1], maps, maps.view(np.int32), maxima, finite, self._rank,
                self.maximum, self.runner_up, self._counts, self._scale, self._bin, self._above,
                numbers=maps.size,
            )  # fmt: skip
            self.raise_to(_edge(self._bin, self._scale).astype(np.float32))
        return maxima, np.asarray(finite.all(0))

    @property
    def steady(self) -> Bool[np.ndarray, " units"]:
        """Which units are constant so far: all their values equal the first."""
        steady: Bool[np.ndarray, " units"] = self.runner_up == -np.inf
        return steady

    def raise_to(self, bounds: Float32[np.ndarray, " units"]) -> None:
        """Adopt bounds from elsewhere that are higher."""
        self.lower = np.maximum(self.lower, np.minimum(bounds, self.runner_up))

    def shared(self, ranks: Ranks) -> Float32[np.ndarray, " units"]:
        """The bounds that follow from the values of all ranks; every rank must call it."""
        scale = ranks.smallest(torch.from_numpy(self._scale)).numpy()
        counts, bins = self._counts.copy(), self._bin.copy()
        for unit in np.flatnonzero(scale < self._scale):
            shift = int(np.log2(self._scale[unit] / scale[unit]))
            bins[unit] = _coarsen(counts[unit], int(bins[unit]), shift)
        counts = ranks.sum(torch.from_numpy(counts)).numpy()
        bins = ranks.largest(torch.from_numpy(bins)).numpy()
        # A rank counts nothing below its bound, but the shared bound is at least as high as every rank's.
        tails = counts[:, ::-1].cumsum(1)[:, ::-1]
        reached = (tails >= self._rank) & (np.arange(BINS) > bins[:, None])
        bins = np.where(reached.any(1), BINS - 1 - reached[:, ::-1].argmax(1), bins)
        shared: Float32[np.ndarray, " units"] = _edge(bins, scale).astype(np.float32)
        return shared

    def pool(self, ranks: Ranks) -> None:
        """Merge the extremes and bounds of all ranks, but not the first value; every rank must call it."""
        maximum = ranks.largest(torch.from_numpy(self.maximum)).numpy()
        runner_up = np.where(self.maximum < maximum, self.maximum, self.runner_up)
        self.runner_up = ranks.largest(torch.from_numpy(runner_up)).numpy()
        self.lower = ranks.largest(torch.from_numpy(self.lower)).numpy()
        self.maximum = maximum


def _edge(bins: Int64[np.ndarray, " units"], scale: np.ndarray) -> np.ndarray:
    """Lower edges of bins; they have so few bits that float32 holds them exactly."""
    edges: np.ndarray = np.where(bins > 0, (bins - _ZERO) / scale, -np.inf)
    return edges


@kernel
def _scan(  # noqa: PLR0913, PLR0917
    maps: Float32[np.ndarray, "images units cells"],
    bits: Int32[np.ndarray, "images units cells"],
    maxima: Float32[np.ndarray, "images units"],
    finite: Bool[np.ndarray, "units images"],
    rank: int,
    maximum: Float32[np.ndarray, " units"],
    runner_up: Float32[np.ndarray, " units"],
    counts: Int32[np.ndarray, "units bins"],
    scale: Float64[np.ndarray, " units"],
    bins: Int64[np.ndarray, " units"],
    above: Int64[np.ndarray, " units"],
    start: int,
    stop: int,
) -> None:
    """Find each map's maximum, and scan the maps that can change a statistic: few, once bounds are high."""
    for unit in range(start, stop):  # unit by unit, so that a unit's counts stay in the cache
        top, second = maximum[unit], runner_up[unit]
        gate = (bins[unit] + 1 - _ZERO) / scale[unit]
        for image in range(maps.shape[0]):
            highest, lowest = _extremes(bits[image, unit])
            maxima[image, unit] = highest
            if not (np.isfinite(highest) and np.isfinite(lowest)):
                finite[unit, image] = False
                continue
            if highest < gate and (highest <= second or lowest == top):
                continue
            for cell in range(maps.shape[2]):
                value = maps[image, unit, cell]
                if value < gate and value <= second:
                    continue
                if value > top:
                    top, second = value, top
                elif second < value < top:
                    second = value
                if value >= gate:
                    _tally(value, unit, rank, counts, scale, bins, above)
                    gate = (bins[unit] + 1 - _ZERO) / scale[unit]
        maximum[unit], runner_up[unit] = top, second


@kernel
def _extremes(bits: Int32[np.ndarray, " cells"]) -> tuple[float, float]:
    """Maximum and minimum of floating-point numbers; one of them is not finite if any number is not.

    The bits of the numbers, inverted below the sign if that is negative, are integers of the same order, with NaN
    beyond infinity. Integers are compared many at a time.
    """
    highest, lowest = np.int32(-(2**31)), np.int32(2**31 - 1)
    for cell in range(len(bits)):
        key = np.int32(bits[cell] ^ ((bits[cell] >> 31) & 0x7FFFFFFF))
        highest, lowest = max(highest, key), min(lowest, key)
    return _number(highest), _number(lowest)


@kernel
def _number(key: np.int32) -> float:
    return np.int32(key ^ ((key >> 31) & 0x7FFFFFFF)).view(np.float32)  # type: ignore[return-value]


@kernel
def _tally(
    value: float,
    unit: int,
    rank: int,
    counts: Int32[np.ndarray, "units bins"],
    scale: Float64[np.ndarray, " units"],
    bins: Int64[np.ndarray, " units"],
    above: Int64[np.ndarray, " units"],
) -> None:
    """Count a value of a unit, and raise its bound to the highest bin with ``rank`` values in or above it."""
    index, shift = int(np.floor(value * scale[unit])) + _ZERO, 0
    while index >= BINS:
        shift += 1
        index = int(np.floor(value * scale[unit] / 2.0**shift)) + _ZERO
    if shift:
        bins[unit] = _coarsen(counts[unit], bins[unit], shift)
        scale[unit] /= 2.0**shift
        above[unit] = counts[unit, bins[unit] + 1 :].sum()
    if index > bins[unit]:
        counts[unit, index] += 1
        above[unit] += 1
    while above[unit] >= rank:
        bins[unit] += 1
        above[unit] -= counts[unit, bins[unit]]


@kernel
def _coarsen(
    counts: Int32[np.ndarray, " bins"],
    bound: int,
    shift: int,
) -> int:
    """Merge every ``2^shift`` bins of a unit into one, in place; returns the bound's new bin."""
    merged = np.zeros_like(counts)
    for index in range(1, counts.shape[0]):
        merged[max(((index - _ZERO) >> shift) + _ZERO, 0)] += counts[index]
    counts[:] = merged
    counts[0] = 0
    return max(((bound - _ZERO) >> shift) + _ZERO, 0) if bound > 0 else 0
