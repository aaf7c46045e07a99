"""Upsamples feature maps to the size of a picture: bilinearly, at half-pixel centres, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int64

UPSAMPLING = "bilinear, half-pixel centres, float64"
"""How maps are upsampled: part of a run's key."""


def upsample(maps: Float64[np.ndarray, "n h w"], height: int, width: int) -> Float64[np.ndarray, "n H W"]:
    """Bilinear interpolation at half-pixel centres, clamped at the border; rows first, then columns.

    Each step is ``a + t (b - a)``, which gives ``a`` exactly if ``a = b`` and never leaves the interval between
    them: a plateau at the threshold does not rise above it by rounding.
    """
    return _stretch(_stretch(maps, height, axis=1), width, axis=2)


def has_mask(
    maps: Float64[np.ndarray, "n h w"], thresholds: Float64[np.ndarray, " n"], height: int, width: int
) -> Bool[np.ndarray, " n"]:
    """Which maps have a mask at this size: a pixel of ``up(A_k) > T_k``."""
    is_lit = np.zeros(len(maps), bool)
    _light(maps, thresholds, *steps(maps.shape[1], height), *steps(maps.shape[2], width), is_lit)
    return is_lit


@kernel
def steps(cells: int, pixels: int) -> tuple[Int64[np.ndarray, " starts"], Float64[np.ndarray, " pixels"]]:
    """The first pixel between each cell of a line and the next, and each pixel's share of the way between them."""
    low, share = _between(cells, pixels)
    starts = np.empty(cells + 1, np.int64)
    pixel = 0
    for cell in range(cells + 1):
        while pixel < pixels and low[pixel] < cell:
            pixel += 1
        starts[cell] = pixel
    return starts, share


def _stretch(maps: Float64[np.ndarray, "n h w"], size: int, *, axis: int) -> Float64[np.ndarray, "n ..."]:
    low, share = _between(maps.shape[axis], size)
    shares = share.reshape([-1 if dimension == axis else 1 for dimension in range(3)])
    lower = maps.take(low, axis)
    upper = maps.take(np.minimum(low + 1, maps.shape[axis] - 1), axis)
    stretched: Float64[np.ndarray, "n ..."] = lower + shares * (upper - lower)
    return stretched


@kernel
def _between(cells: int, pixels: int) -> tuple[Int64[np.ndarray, " pixels"], Float64[np.ndarray, " pixels"]]:
    """For each pixel of a line, the cell before it and its share of the way to the next."""
    low, share = np.empty(pixels, np.int64), np.empty(pixels)
    for pixel in range(pixels):
        centre = min(max((pixel + 0.5) * (cells / pixels) - 0.5, 0.0), cells - 1.0)
        low[pixel] = int(centre)
        share[pixel] = centre - low[pixel]
    return low, share


@kernel
def _light(
    maps: Float64[np.ndarray, "n h w"],
    thresholds: Float64[np.ndarray, " n"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    is_lit: Bool[np.ndarray, " n"],
) -> None:
    for pair in range(maps.shape[0]):
        is_lit[pair] = _is_lit(maps[pair], thresholds[pair], tops, downs, lefts, rights)


@kernel
def _is_lit(
    cells: Float64[np.ndarray, "h w"],
    threshold: float,
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
) -> bool:
    height, width = cells.shape
    for row in range(height):
        for column in range(width):
            below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
            a, b, c, d = cells[row, column], cells[below, column], cells[row, beside], cells[below, beside]
            if not max(a, b, c, d) > threshold:
                continue
            for y in range(tops[row], tops[row + 1]):
                left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                for x in range(lefts[column], lefts[column + 1]):
                    if left + rights[x] * (right - left) > threshold:
                        return True
    return False
