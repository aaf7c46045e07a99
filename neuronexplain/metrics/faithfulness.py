"""Does the score follow the map? Deletion and insertion after Petsiuk et al. 2018 (RISE).

Pixels are removed (deletion: they become the mean colour) or put back (insertion: into a blurred photograph) in the
order of the map, strongest first, in equal steps. The figure is the area under the curve of the class's probability
over the share of pixels: low is good for deletion, high for insertion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Float64

STEPS = 28
"""Steps of a curve. Petsiuk et al. take 224 of 224 x 224 pixels per step: 224 steps."""

BLUR = (11, 5.0)
"""Side and standard deviation of the Gaussian kernel that blurs a photograph, as in RISE's code."""


def strongest_first(values: Float[np.ndarray, "h w"], steps: int) -> Bool[np.ndarray, "points h w"]:
    """The masks of a curve's points: from no pixels, in equal steps by strength, to all pixels of a map.

    Equally strong pixels follow in reading order.
    """
    order = np.argsort(-values.ravel(), kind="stable")
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    counts = np.round(np.linspace(0, order.size, steps + 1)).astype(np.int64)
    masks: Bool[np.ndarray, "points h w"] = rank.reshape(values.shape) < counts[:, None, None]
    return masks


def blurred(image: Float[np.ndarray, "channels h w"]) -> Float32[np.ndarray, "channels h w"]:
    """The blurred image that insertion begins with."""
    side, deviation = BLUR
    return ndimage.gaussian_filter(image, (0, deviation, deviation), radius=(0, side // 2, side // 2)).astype(
        np.float32
    )


def area_under(curve: Float[np.ndarray, " points"]) -> float:
    """The area under equally spaced points over [0, 1], by trapezia."""
    points: Float64[np.ndarray, " points"] = curve.astype(np.float64)
    return float((points[1:] + points[:-1]).mean() / 2)
