"""Segmentation seeds: the places that a map is sure enough of to train a segmentation from (Sec. 4.2).

As in SEC (Kolesnikov and Lampert 2016), whose seeds the paper replaces by Grad-CAM, the seeds of each class in the
image are what exceeds 20 % of its map's maximum; where seeds overlap, the class with fewer pixels keeps the place.
SEC's background seeds are the least salient pixels of a separate saliency network. Here they are the tenth of the
pixels that the image's maps, each divided by its maximum, mark least after a median filter: nothing else has to be
downloaded, and the rest of the recipe is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Bool, Float, Int64, UInt16

SEED_SHARE = 0.2
"""Share of a map's maximum; what exceeds it is a seed."""

BACKGROUND = 0.1
"""Share of the pixels that are seeds of the background."""

CUES_SIZE = 41
"""Side of the grid of the output of SEC's network."""

NONE = -1
_MEDIAN = 3


def seed_map(
    maps: Float[np.ndarray, "classes h w"], *, share: float = SEED_SHARE, background: float = BACKGROUND
) -> Int64[np.ndarray, "h w"]:
    """Which class each pixel is a seed of: 1 for the first map, and so on; 0 for the background; -1 for none.

    Args:
        maps: the maps of the classes in the image.
        share: share of a map's maximum above which a pixel is a seed.
        background: share of the pixels that are seeds of the background.
    """
    peaks = maps.max((1, 2), keepdims=True, initial=0)
    lit = (maps > share * peaks) & (peaks > 0)
    seeds = np.where(_coldest(maps, peaks, background), 0, NONE).astype(np.int64)
    for index in np.argsort(-lit.sum((1, 2)), kind="stable"):
        seeds[lit[index]] = index + 1
    return seeds


def counts(seeds: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> tuple[int, int, int]:
    """Numbers of pixels that are seeds and true, seeds, and true: they give IoU, precision and recall."""
    return int((seeds & truth).sum()), int(seeds.sum()), int(truth.sum())


def cues(
    seeds: Int64[np.ndarray, "h w"], classes: Mapping[int, int], size: int = CUES_SIZE
) -> UInt16[np.ndarray, "3 seeds"]:
    """Seeds as SEC reads them: class (0 is the background), row and column of each, on a grid of side ``size``.

    Args:
        seeds: see :func:`seed_map`.
        classes: SEC's number of each class, by the class's number in ``seeds``.
        size: side of the grid; each of its cells takes the pixel at the cell's middle.
    """
    grid = np.asarray(Image.fromarray(seeds.astype(np.int32)).resize((size, size), Image.Resampling.NEAREST))
    rows, columns = np.nonzero(grid != NONE)
    sec_numbers = np.zeros(max([*classes, int(grid.max())]) + 1, np.uint16)
    sec_numbers[list(classes)] = list(classes.values())
    return np.stack([sec_numbers[grid[rows, columns]], rows.astype(np.uint16), columns.astype(np.uint16)])


def _coldest(
    maps: Float[np.ndarray, "classes h w"], peaks: Float[np.ndarray, "classes 1 1"], share: float
) -> Bool[np.ndarray, "h w"]:
    heat = np.divide(maps, peaks, out=np.zeros_like(maps), where=peaks > 0).max(0, initial=0)
    smooth = np.asarray(Image.fromarray(heat.astype(np.float32)).filter(ImageFilter.MedianFilter(_MEDIAN)))
    cold: Bool[np.ndarray, "h w"] = smooth <= np.quantile(smooth, share)
    return cold
