"""How strongly units respond in an image, where, and what that does to a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.engine.upsampling import upsample

if TYPE_CHECKING:
    from jaxtyping import Bool, Float32, Float64


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """All units of a layer on one image.

    Attributes:
        alpha: importance for the target (Eq. 1).
        contribution: ``alpha * mean(A)``.
        effect: ``sum_ij dy/dA_ij A_ij``.
        potential: ``sum_ij dy/dA_ij On_ij`` with the map that a unit has where its concept is.
        peak: the greatest activation.
        lit: whether it exceeds the threshold.
        excess: the mean lit contribution to the target's class above that to the average class; ``None`` if unknown.
    """

    alpha: Float64[np.ndarray, " units"]
    contribution: Float64[np.ndarray, " units"]
    effect: Float64[np.ndarray, " units"]
    potential: Float64[np.ndarray, " units"]
    peak: Float64[np.ndarray, " units"]
    lit: Bool[np.ndarray, " units"]
    excess: Float64[np.ndarray, " units"] | None = None


def concept_map(
    maps: Float64[np.ndarray, "units h w"], thresholds: Float64[np.ndarray, " units"], size: tuple[int, int]
) -> Float32[np.ndarray, "H W"]:
    """How strongly a group of units responds at each pixel: 1 at the threshold of the strongest of them, more above it.

    For a threshold that is not positive, the value is 1 plus what the activation exceeds it by, and 0 below it.
    """
    upsampled = upsample(maps, *size)
    unit_thresholds = thresholds[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.where(
            unit_thresholds > 0,
            upsampled / unit_thresholds,
            np.where(upsampled > unit_thresholds, 1 + upsampled - unit_thresholds, 0.0),
        )
    strongest: Float32[np.ndarray, "H W"] = np.maximum(strength.max(0), 0).astype(np.float32)
    return strongest
