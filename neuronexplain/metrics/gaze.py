"""Rank correlation of a map with where people look to answer a question (Das et al. 2016, "Human Attention in VQA").

Both maps are brought to a grid of 14 x 14 cells, the cells are ranked, and the ranks are compared (Spearman). A cell is
the mean of what lies in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .rank_correlation import rank_correlation

if TYPE_CHECKING:
    from jaxtyping import Float, Float64

SIDE = 14
"""Cells along a side of the grid."""


def on_grid(
    values: Float[np.ndarray, "h w"], window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
) -> Float64[np.ndarray, "14 14"]:
    """A part of a map on the grid.

    Args:
        values: the map.
        window: left, top, right and bottom of the part, as shares of the map's width and height.
    """
    height, width = values.shape
    box = (window[0] * width, window[1] * height, window[2] * width, window[3] * height)
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float64)


def gaze_correlation(first: Float[np.ndarray, "14 14"], second: Float[np.ndarray, "14 14"]) -> float:
    """Spearman's rho of two maps on the grid; 0 if either is flat."""
    return rank_correlation(first.ravel(), second.ravel())
