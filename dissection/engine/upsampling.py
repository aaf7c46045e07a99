"""Upsamples feature maps to the size of a picture: bilinearly, at half-pixel centres, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64


def upsample(maps: Float64[np.ndarray, "n h w"], height: int, width: int) -> Float64[np.ndarray, "n H W"]:
    """Bilinear interpolation at half-pixel centres, clamped at the border; rows first, then columns.

    Each step is ``a + t (b - a)``, which gives ``a`` exactly if ``a = b`` and never leaves the interval between
    them: a plateau at the threshold does not rise above it by rounding.
    """
    return _stretch(_stretch(maps, height, axis=1), width, axis=2)


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


def centre(cell: int, cells: int, pixels: int) -> int:
    """The pixel of a line on which the centre of a cell lies; where two pixels meet there, the second of them."""
    return (2 * cell + 1) * pixels // (2 * cells)


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
