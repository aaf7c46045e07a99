"""Rank correlation with occlusion maps: does a map rank places as hiding them does (Sec. 5.3)?

A grey patch hides a square of the image; the fall of the class's score is the occlusion map (Zeiler and Fergus 2014),
on the grid of the patch's positions. The map in question is brought to the same grid: its mean under each patch. The
ranks of the two are compared (Spearman). The paper gives neither patch nor stride nor grid; the defaults are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Float64

PATCH = 0.2
"""Side of the patch as a share of the image's shorter side: 45 of 224 pixels."""

STRIDE = 0.07
"""Step from one position to the next, as a share likewise: 16 of 224 pixels."""


def under_patches(
    values: Float[np.ndarray, "h w"], places: Sequence[tuple[slice, slice]]
) -> Float64[np.ndarray, " places"]:
    """The mean of a map under each patch, computed with its integral image."""
    integral = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    integral[1:, 1:] = values.astype(np.float64).cumsum(0).cumsum(1)
    top, bottom, left, right = np.array(
        [
            (rows.start, min(rows.stop, values.shape[0]), columns.start, min(columns.stop, values.shape[1]))
            for rows, columns in places
        ]
    ).T
    sums = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    means: Float64[np.ndarray, " places"] = sums / ((bottom - top) * (right - left))
    return means


def rank_correlation(first: Float[np.ndarray, " places"], second: Float[np.ndarray, " places"]) -> float:
    """Spearman's rho, with equal values sharing their mean rank; 0, as by chance, if either map is flat."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(stats.spearmanr(first, second).statistic)
