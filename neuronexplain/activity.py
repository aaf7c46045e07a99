"""Which units are active in an image, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.overlap import outermost, upsample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32, Float64


def active_units(
    maps: Float64[np.ndarray, "units h w"], thresholds: Float64[np.ndarray, " units"], size: tuple[int, int]
) -> frozenset[int]:
    """The units whose mask at ``size`` (height, width) is not empty."""
    units = np.flatnonzero(maps.max((1, 2)) > thresholds)  # no pixel is above all cells
    rows, columns = (outermost(cells, pixels) for cells, pixels in zip(maps.shape[1:], size, strict=True))
    lit = upsample(maps[units], *size, rows=rows, columns=columns).max((1, 2)) > thresholds[units]
    # Between four cells the greatest pixel is in a corner, or exceeds the corners by rounding: then it is still in the
    # first or the last column, because along a row `a + t (b - a)` rises or falls with t, rounded or not.
    others = units[~lit]
    lit[~lit] = upsample(maps[others], *size, columns=columns).max((1, 2)) > thresholds[others]
    return frozenset(units[lit].tolist())


def concept_map(
    maps: Float64[np.ndarray, "units h w"],
    thresholds: Float64[np.ndarray, " units"],
    units: Sequence[int],
    size: tuple[int, int],
) -> Float32[np.ndarray, "H W"]:
    """How strongly some units light each place: 1 at the threshold of the strongest of them, more above it.

    Where a threshold is not positive, a unit counts from its threshold on as far as it exceeds it.
    """
    chosen = list(units)
    raised = upsample(maps[chosen], *size)
    limits = thresholds[chosen][:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.where(limits > 0, raised / limits, np.where(raised > limits, 1 + raised - limits, 0.0))
    strongest: Float32[np.ndarray, "H W"] = np.maximum(strength.max(0), 0).astype(np.float32)
    return strongest
