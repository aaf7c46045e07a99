"""Outlines of the pixels where units are lit, for pages that draw them over a photograph."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float32

_GRID = 112
"""Most points of a map's side that an outline is drawn from."""


def region_path(mask: Float32[np.ndarray, "h w"]) -> str:
    """The region where a mask exceeds 1, as the data of an SVG path in pixels of the mask; holes by ``evenodd``.

    >>> region_path(np.full((4, 4), 2, np.float32))
    'M0 0H4V4H0Z'
    """
    height, width = mask.shape
    if (mask > 1).all():
        return f"M0 0H{width}V{height}H0Z"
    step = max(1, -(-max(height, width) // _GRID))
    coarse = np.pad(mask[step // 2 :: step, step // 2 :: step], 1, mode="edge")
    return "".join(
        f"M{'L'.join(f'{x:g} {y:g}' for x, y in _pixels(ring, step, width, height))}Z" for ring in _rings(coarse)
    )


def _rings(values: Float32[np.ndarray, "h w"]) -> list[np.ndarray]:
    """Closed lines around what exceeds 1, in indices (x, y)."""
    from contourpy import FillType, contour_generator  # noqa: PLC0415 - only pages need it

    polygons, offsets = contour_generator(z=values, fill_type=FillType.OuterOffset).filled(1, np.inf)
    return [
        points[start : end - 1]  # the last point is the first
        for points, starts in zip(polygons, offsets, strict=True)
        for start, end in pairwise(starts)
    ]


def _pixels(ring: np.ndarray, step: int, width: int, height: int) -> np.ndarray:
    """Indices of the padded grid as pixels of the mask, rounded to a tenth."""
    pixels: np.ndarray = np.clip((ring - 1) * step + step // 2 + 0.5, 0, (width, height)).round(1)
    return pixels
