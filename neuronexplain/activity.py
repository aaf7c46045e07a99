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
    """The units whose mask at ``size`` (height, width) is not empty."""
    return frozenset(np.flatnonzero(has_mask(maps, thresholds, *size)).tolist())


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
