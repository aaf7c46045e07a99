"""COCO's regions, as polygons or run lengths, drawn as masks.

Polygons are drawn by pycocotools, which gives COCO's own pixels. Its C code allocates as much as the numbers say, so
they are checked first. Run lengths are expanded here: on damaged ones pycocotools 2.0.11 writes past its memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as coco_mask

from .outlines import BadRegionError, check_reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import UInt8

    from .coco_files import CocoRecord

_ZERO = 48  # the character for 0
_LONGEST = 7  # characters of one number, 5 bits each


def packed(record: CocoRecord) -> CocoRecord:
    """The record with its polygons as arrays: an eighth of the memory, for files of hundreds of megabytes."""
    polygons = record.get("segmentation")
    if isinstance(polygons, list):
        try:
            record["segmentation"] = [np.array(polygon, np.float64) for polygon in polygons]
        except (OverflowError, TypeError, ValueError):
            record["segmentation"] = "polygons that are not lists of numbers"
    return record


def drawn(regions: Sequence[object], size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """A mask of an image: 1 where any of the regions is.

    Args:
        regions: each a list of polygons (x0, y0, x1, ...) as ``packed`` leaves them, or run lengths as COCO writes
            them, plain (``counts`` is a list) or compressed (a text).
        size: height and width of the image.

    Raises:
        BadRegionError: if a region is in another form or does not fit the image.
    """
    mask = np.zeros(size, np.uint8)
    for region in regions:
        for part in _parts(region, size):
            mask |= part
    return mask


def _parts(region: object, size: tuple[int, int]) -> Iterator[UInt8[np.ndarray, "h w"]]:
    if isinstance(region, list):
        yield from (_polygon(polygon, size) for polygon in region if _is_area(polygon, size))
    elif not isinstance(region, dict):
        raise BadRegionError(f"its segmentation is {region!r:.60}; polygons or run lengths are needed")
    elif region.get("size") != list(size):
        raise BadRegionError(f"its run lengths are for size {region.get('size')}; {list(size)} is needed")
    else:
        yield _runs(region.get("counts"), size)


def _polygon(corners: np.ndarray, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    (runs,) = coco_mask.frPyObjects([corners.tolist()], *size)
    counts = runs["counts"]
    return _runs(counts.decode("ascii") if isinstance(counts, bytes) else counts, size)


def _is_area(polygon: np.ndarray, size: tuple[int, int]) -> bool:
    if polygon.ndim != 1 or len(polygon) % 2:
        raise BadRegionError("a polygon is not a flat list of an even number of coordinates")
    check_reach(polygon, size)
    return len(polygon) >= 6  # pycocotools takes four numbers for a box; two points have no area


def _runs(counts: object, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """The mask of run lengths, which go down the columns, of 0 and 1 in turn."""
    lengths = _unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(isinstance(length, int) and length >= 0 for length in lengths):
        raise BadRegionError("its counts are not whole numbers from 0")
    if sum(lengths) != size[0] * size[1]:
        raise BadRegionError(f"its counts sum to {sum(lengths)}; {size[0] * size[1]} is needed, the image's pixels")
    values = np.arange(len(lengths)) % 2
    return np.repeat(values.astype(np.uint8), lengths).reshape(size[::-1]).T


def _unpacked(counts: str) -> list[int]:
    """The run lengths in a text: 5 bits per character, lowest first; the sixth bit says that more follow.

    From the fourth on, each number is the difference from the one before the last; it may be negative, which its
    highest bit says.
    """
    lengths: list[int] = []
    value = digits = 0
    for character in counts:
        bits = ord(character) - _ZERO
        if not 0 <= bits < 64 or digits == _LONGEST:
            raise BadRegionError("its compressed run lengths cannot be read")
        value |= (bits & 31) << 5 * digits
        digits += 1
        if not bits & 32:
            if bits & 16:
                value -= 1 << 5 * digits
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = digits = 0
    if digits:
        raise BadRegionError("its compressed run lengths are cut short")
    return lengths
