"""Rank correlation of a map with where people look to answer a question (Das et al. 2016, "Human Attention in VQA").

Both maps are brought to a grid of 14 x 14 cells, the cells are ranked, and the ranks are compared (Spearman). A cell is
the mean of what lies in it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .rank_correlation import rank_correlation

if TYPE_CHECKING:
    from jaxtyping import Float, Float64

SIDE = 14
"""Cells along a side of the grid."""

_DIGITS = 10
"""Digits of a mean that rounding leaves certain: what is beyond them would rank cells that are alike."""


def on_grid(
    values: Float[np.ndarray, "h w"], window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
) -> Float64[np.ndarray, "14 14"]:
    """A part of a map on the grid; pixels that two cells share count in each by the part of them that is in it.

    Args:
        values: the map.
        window: left, top, right and bottom of the part, as shares of the map's width and height.
    """
    left, top, right, bottom = window
    height, width = values.shape
    rows, columns = _parts(height, top * height, bottom * height), _parts(width, left * width, right * width)
    means: Float64[np.ndarray, "14 14"] = rows @ values.astype(np.float64) @ columns.T
    decimals = _DIGITS - math.ceil(math.log10(float(np.abs(values).max()) or 1))
    return np.round(means, decimals)


def gaze_correlation(first: Float[np.ndarray, "14 14"], second: Float[np.ndarray, "14 14"]) -> float:
    """Spearman's rho of two maps on the grid; 0 if either is flat."""
    return rank_correlation(first.ravel(), second.ravel())


def _parts(length: int, start: float, stop: float) -> Float64[np.ndarray, "14 length"]:
    """Which part of each cell between ``start`` and ``stop`` each pixel of a line fills."""
    edges, pixels = np.linspace(start, stop, SIDE + 1), np.arange(length)
    overlaps = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    parts: Float64[np.ndarray, "14 length"] = overlaps.clip(min=0) * (SIDE / (stop - start))
    return parts
