"""Segmentation seeds: the places a map is sure enough of to train a segmentation from (Sec. 4.2).

As SEC has it (Kolesnikov and Lampert 2016), whose seeds the paper replaces by Grad-CAM: of each class in the image,
what exceeds 20 % of its map's maximum; where seeds meet, the class with the fewer pixels keeps the place. SEC's
background seeds are the least salient pixels by another saliency network. Here they are the tenth of the pixels that
the image's own maps, each divided by its maximum, warm least, smoothed by a median filter: nothing else has to be
downloaded, and the recipe is the same from there on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, Int64, UInt16

SHARE = 0.2
"""Of a map's maximum: what exceeds it is a seed."""

BACKGROUND = 0.1
"""Share of the pixels that are seeds of the background."""

CUES_SIZE = 41
"""Side of the grid that SEC's network has its output on."""

NONE = -1
_MEDIAN = 3


def seed_map(
    maps: Float[np.ndarray, "classes h w"], *, share: float = SHARE, background: float = BACKGROUND
) -> Int64[np.ndarray, "h w"]:
    """Which class each pixel is a seed of: 1 for the first map, and so on; 0 for the background; -1 for none.

    Args:
        maps: of the classes that are in the image.
        share: of a map's maximum.
        background: share of the pixels.
    """
    peaks = maps.max((1, 2), keepdims=True, initial=0)
    lit = (maps > share * peaks) & (peaks > 0)
    seeds = np.where(_coldest(maps, peaks, background), 0, NONE).astype(np.int64)
    for index in np.argsort(-lit.sum((1, 2)), kind="stable"):
        seeds[lit[index]] = index + 1
    return seeds


def counts(seeds: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> tuple[int, int, int]:
    """Pixels that are seeds and true, seeds, and true: IoU, precision and recall follow from them."""
    return int((seeds & truth).sum()), int(seeds.sum()), int(truth.sum())


def cues(
    seeds: Int64[np.ndarray, "h w"], classes: Mapping[int, int], size: int = CUES_SIZE
) -> UInt16[np.ndarray, "3 seeds"]:
    """Seeds as SEC reads them: class (0 is the background), row and column of each, on a grid of ``size``.

    Args:
        seeds: see :func:`seed_map`.
        classes: SEC's number of each class by its number in ``seeds``.
        size: side of the grid, which takes the pixel at the middle of each cell.
    """
    grid = np.asarray(Image.fromarray(seeds.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST))
    rows, columns = np.nonzero(grid != NONE)
    of_sec = np.zeros(max([*classes, int(grid.max())]) + 1, np.uint16)
    of_sec[list(classes)] = list(classes.values())
    return np.stack([of_sec[grid[rows, columns]], rows.astype(np.uint16), columns.astype(np.uint16)])


def _coldest(
    maps: Float[np.ndarray, "classes h w"], peaks: Float[np.ndarray, "classes 1 1"], share: float
) -> Bool[np.ndarray, "h w"]:
    heat = np.divide(maps, peaks, out=np.zeros_like(maps), where=peaks > 0).max(0, initial=0)
    smooth = np.asarray(Image.fromarray(heat.astype(np.float32)).filter(ImageFilter.MedianFilter(_MEDIAN)))
    cold: Bool[np.ndarray, "h w"] = smooth <= np.quantile(smooth, share)
    return cold
