"""COCO's regions, as polygons or run lengths, drawn as label maps by pycocotools.

What pycocotools is given is checked first: its C code allocates what the numbers say.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import UInt8

    from .coco_files import Record


class BadRegionError(ValueError):
    """A region that cannot be drawn; says why."""


def packed(record: Record) -> Record:
    """The record with its polygons as arrays: an eighth of the memory, for files of hundreds of megabytes."""
    polygons = record.get("segmentation")
    if isinstance(polygons, list):
        try:
            record["segmentation"] = [np.array(polygon, np.float64) for polygon in polygons]
        except (TypeError, ValueError):
            record["segmentation"] = "polygons that are no lists of numbers"
    return record


def drawn(regions: Sequence[object], size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """1 where any of the regions is, on an image of ``size`` (height, width).

    Args:
        regions: each a list of polygons (x0, y0, x1, ...) as ``packed`` leaves them, or run lengths as COCO writes
            them, plain (``counts`` is a list) or compressed (a text).
        size: height and width of the image.

    Raises:
        BadRegionError: if a region is neither, or does not fit the image.
    """
    mask = np.zeros(size, np.uint8)
    for run in (run for region in regions for run in _runs(region, size)):
        mask |= _decoded(run)  # not merged in C, which trusts that run lengths fit
    return mask


def _decoded(run: Record) -> UInt8[np.ndarray, "h w"]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools 2.0.11 does not speak numpy 2's __array__
            return np.asarray(coco_mask.decode(run), np.uint8)
    except (ValueError, TypeError, IndexError) as error:
        raise BadRegionError(f"its run lengths cannot be read ({error})") from error


def _runs(region: object, size: tuple[int, int]) -> list[Record]:
    if isinstance(region, list):
        polygons = [polygon.tolist() for polygon in region if _is_area(polygon, size)]
        return list(coco_mask.frPyObjects(polygons, *size)) if polygons else []
    if not isinstance(region, dict):
        raise BadRegionError(f"its segmentation is {region!r:.60}; polygons or run lengths are wanted")
    counts = region.get("counts")
    if region.get("size") != list(size):
        raise BadRegionError(f"its run lengths are for size {region.get('size')}; {list(size)} is wanted")
    if isinstance(counts, str):
        return [{"size": list(size), "counts": _ascii(counts)}]
    if not isinstance(counts, list) or not all(isinstance(each, int) and each >= 0 for each in counts):
        raise BadRegionError("its counts are no whole numbers from 0")
    if sum(counts) != size[0] * size[1]:
        raise BadRegionError(f"its counts sum to {sum(counts)}; {size[0] * size[1]} is wanted, the image's pixels")
    return [coco_mask.frPyObjects(region, *size)]


def _is_area(polygon: np.ndarray, size: tuple[int, int]) -> bool:
    if polygon.ndim != 1 or len(polygon) % 2:
        raise BadRegionError("a polygon has no even number of coordinates")
    most = 2 * max(size)
    if not (np.abs(polygon) <= most).all():  # also refuses what is no number
        raise BadRegionError(f"a polygon leads further than {most} pixels, which is far outside the image")
    return len(polygon) >= 6  # pycocotools takes four numbers for a box; two points have no area


def _ascii(counts: str) -> bytes:
    if not counts.isascii() or "\0" in counts:
        raise BadRegionError("its compressed run lengths are no ASCII text")
    return counts.encode("ascii")
