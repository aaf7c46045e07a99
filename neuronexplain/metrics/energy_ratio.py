"""How much stronger a map is inside than outside the region that it should attend to (Sec. 8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def inside_outside(values: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]) -> tuple[float, float]:
    """Means of a map inside and outside a region, with negative values counted as 0.

    The paper's figure is their quotient: 1 for a flat map. NaN for a side without pixels.
    """
    heat = np.maximum(values.astype(np.float64), 0)
    return _mean(heat[inside]), _mean(heat[~inside])


def quotient(inside: float, outside: float) -> float | None:
    """The ratio; None if a side has no pixels, or the mean outside is 0."""
    return inside / outside if outside > 0 and np.isfinite(inside) else None


def share_inside(values: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]) -> float | None:
    """The share of a map that lies in a region, with negative values counted as 0; None if the map is 0 everywhere."""
    heat = np.maximum(values.astype(np.float64), 0)
    total = heat.sum()
    return float(heat[inside].sum() / total) if total > 0 else None


def _mean(values: Float[np.ndarray, " pixels"]) -> float:
    return float(values.mean()) if values.size else float("nan")
