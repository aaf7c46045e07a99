"""Which units are active in an image, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.engine.upsampling import has_mask, upsample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32, Float64


def active_units(
    maps: Float64[np.ndarray, "units h w"], thresholds: Float64[np.ndarray, " units"], size: tuple[int, int]
) -> frozenset[int]:
    """Numbers of the units whose mask at ``size`` (height, width) is not empty."""
    return frozenset(np.flatnonzero(has_mask(maps, thresholds, *size)).tolist())


def concept_map(
    maps: Float64[np.ndarray, "units h w"],
    thresholds: Float64[np.ndarray, " units"],
    units: Sequence[int],
    size: tuple[int, int],
) -> Float32[np.ndarray, "H W"]:
    """How strongly a group of units responds at each pixel: 1 at the threshold of the strongest of them, more above it.

    For a threshold that is not positive, the value is 1 plus what the activation exceeds it by, and 0 below it.
    """
    unit_numbers = list(units)
    upsampled = upsample(maps[unit_numbers], *size)
    unit_thresholds = thresholds[unit_numbers][:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.where(
            unit_thresholds > 0,
            upsampled / unit_thresholds,
            np.where(upsampled > unit_thresholds, 1 + upsampled - unit_thresholds, 0.0),
        )
    strongest: Float32[np.ndarray, "H W"] = np.maximum(strength.max(0), 0).astype(np.float32)
    return strongest
