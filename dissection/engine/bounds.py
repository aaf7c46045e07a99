"""What a stream of feature maps says of each unit while it passes: extremes, and a lower bound of its threshold.

The final threshold of a unit is the m-th largest of its n activations, m = ``floor(q n) + 1``. Whatever m of the values
seen so far are at least ``b`` bounds it from below, and no map that stays under ``b`` can have a mask. So values are
counted in bins: the lower edge of the highest bin that has m values in or above it is such a ``b``. Bins are multiples
of a power of two, so that edges are exact; when a value lies beyond the last bin, pairs of bins become one. This takes
the same memory however many images there are, and what lies under the bound is not even counted.

Where more than q of a unit's values are its maximum, its threshold will be the largest value below (see
:mod:`dissection.engine.thresholds`), so no bound rises above that one.
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
        runner_up: the largest below the maximum; ``-inf`` while a unit has shown one value only.
        lower: what the final threshold cannot be below; ``-inf`` until enough was seen.
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
        """Take in the maps of some images.

        Returns:
            Each map's maximum, and for each image whether all its values are finite. After one that is not, nothing
            here means anything.
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
        """Which units have shown one value only: the first."""
        steady: Bool[np.ndarray, " units"] = self.runner_up == -np.inf
        return steady

    def raise_to(self, bounds: Float32[np.ndarray, " units"]) -> None:
        """Take over bounds of the thresholds that were found elsewhere, where they are higher."""
        self.lower = np.maximum(self.lower, np.minimum(bounds, self.runner_up))

    def shared(self, ranks: Ranks) -> Float32[np.ndarray, " units"]:
        """The bounds that follow from what all ranks have seen; every rank must ask."""
        scale = ranks.smallest(torch.from_numpy(self._scale)).numpy()
        counts, bins = self._counts.copy(), self._bin.copy()
        for unit in np.flatnonzero(scale < self._scale):
            shift = int(np.log2(self._scale[unit] / scale[unit]))
            bins[unit] = _coarsen(counts[unit], int(bins[unit]), shift)
        counts = ranks.sum(torch.from_numpy(counts)).numpy()
        bins = ranks.largest(torch.from_numpy(bins)).numpy()
        # Below a rank's own bound nothing was counted; but the bound of all is at least each one's own.
        tails = counts[:, ::-1].cumsum(1)[:, ::-1]
        reached = (tails >= self._rank) & (np.arange(BINS) > bins[:, None])
        bins = np.where(reached.any(1), BINS - 1 - reached[:, ::-1].argmax(1), bins)
        shared: Float32[np.ndarray, " units"] = _edge(bins, scale).astype(np.float32)
        return shared

    def pool(self, ranks: Ranks) -> None:
        """Take in the extremes and bounds of all ranks, but not the first value; every rank must call it."""
        maximum = ranks.largest(torch.from_numpy(self.maximum)).numpy()
        below = np.where(self.maximum < maximum, self.maximum, self.runner_up)
        self.runner_up = ranks.largest(torch.from_numpy(below)).numpy()
        self.lower = ranks.largest(torch.from_numpy(self.lower)).numpy()
        self.maximum = maximum


def _edge(bins: Int64[np.ndarray, " units"], scale: np.ndarray) -> np.ndarray:
    """Lower edges of bins: exact in float32 too, having few bits."""
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
    """Find each map's maximum, and go over those in which something can be new: few, once bounds are high."""
    for unit in range(start, stop):  # unit by unit, whose counts stay close at hand
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
    """Maximum and minimum of floating-point numbers, one of them not finite where any number is not.

    Their bits, a little turned, are whole numbers of the same order, with NaN beyond infinity. Those are compared many
    at a time.
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
    """Count a value of a unit, and let its bound rise to the highest bin that ``rank`` values are in or above."""
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
    """Let each ``2^shift`` bins of a unit become one, in place; returns the bin that the bound is in then."""
    merged = np.zeros_like(counts)
    for index in range(1, counts.shape[0]):
        merged[max(((index - _ZERO) >> shift) + _ZERO, 0)] += counts[index]
    counts[:] = merged
    counts[0] = 0
    return max(((bound - _ZERO) >> shift) + _ZERO, 0) if bound > 0 else 0
