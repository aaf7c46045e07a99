"""Weakly supervised localisation: where a map says an object is, and whether that is right (Sec. 4.1).

A map is cut at 15 % of its maximum, and a box is drawn around the largest connected segment of what is left. As in
ILSVRC-15, a prediction is right where its class is in the image and its box overlaps an instance of it with an IoU of
at least 0.5; of several instances the best one counts. Boxes are ``left, top, right, bottom`` in pixels, the last two
excluded.

A map that speaks for and against a class is first counted from its least value, as it is drawn. Table 3 leads to this:
cut at a share of its maximum, Grad-CAM without ReLU would differ from Grad-CAM by next to nothing, since what is
negative is below either way; counted from the least value it is much worse, as it is in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float64

SHARE = 0.15
"""Of a map's maximum: where it is cut."""

MIN_IOU = 0.5
"""From which a box is right (ILSVRC)."""

Box = tuple[int, int, int, int]


def largest_segment(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"] | None:
    """The connected segment of the most pixels, of equal ones the first in reading order; None of an empty mask.

    Pixels are connected by their sides, scipy's default.
    """
    segments, count = ndimage.label(mask)
    if not count:
        return None
    largest: Bool[np.ndarray, "h w"] = segments == 1 + np.argmax(np.bincount(segments.ravel())[1:])
    return largest


def map_box(values: Float[np.ndarray, "h w"], share: float = SHARE) -> Box | None:
    """The box that a map draws: around the largest segment of what exceeds ``share`` of its maximum.

    None where nothing is above 0.
    """
    peak = values.max()
    segment = largest_segment(values > share * peak) if peak > 0 else None
    if segment is None:
        return None
    rows, columns = np.flatnonzero(segment.any(1)), np.flatnonzero(segment.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_ious(box: Box, others: Float[np.ndarray, "boxes 4"]) -> Float64[np.ndarray, " boxes"]:
    """Intersection over union of a box with each of some others."""
    one, many = np.asarray(box, np.float64), np.asarray(others, np.float64).reshape(-1, 4)
    sides = np.minimum(one[2:], many[:, 2:]) - np.maximum(one[:2], many[:, :2])
    common = sides.clip(min=0).prod(1)
    unions = (one[2:] - one[:2]).prod() + (many[:, 2:] - many[:, :2]).prod(1) - common
    ious: Float64[np.ndarray, " boxes"] = np.divide(common, unions, out=np.zeros_like(common), where=unions > 0)
    return ious


def intensity(values: Float[np.ndarray, "h w"], *, signed: bool) -> Float[np.ndarray, "h w"]:
    """What is cut: the map itself, or a signed one's height above its least value."""
    return values - values.min() if signed else values


def best_iou(values: Float[np.ndarray, "h w"], instances: Float[np.ndarray, "boxes 4"], share: float = SHARE) -> float:
    """IoU of a map's box with the instance that it overlaps best; 0 where there is no box or no instance."""
    box = map_box(values, share)
    return float(box_ious(box, instances).max(initial=0)) if box else 0.0
