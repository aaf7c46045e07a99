"""Weakly supervised localisation: where a map says an object is, and whether that is right (Sec. 4.1).

A map is cut at 15 % of its maximum, and a box is drawn around the largest connected segment of what is left. As in
ILSVRC-15, a prediction is right if its class is in the image and its box overlaps an instance of it with an IoU of at
least 0.5; of several instances the best one counts. Boxes are ``left, top, right, bottom`` in pixels, the last two
exclusive.

A map that speaks for and against a class is first shifted to start at 0, as it is drawn. Table 3 suggests this: cut at
a share of its maximum, Grad-CAM without ReLU would hardly differ from Grad-CAM, since negative values are below the cut
either way; measured from its least value it is much worse, as it is in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float64

BOX_SHARE = 0.15
"""Share of a map's maximum at which it is cut."""

HIT_IOU = 0.5
"""Least IoU of a right box (ILSVRC)."""

Box = tuple[int, int, int, int]


def largest_segment(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"] | None:
    """The largest connected segment, of equal ones the first in reading order; None for an empty mask.

    Pixels are connected by their sides, scipy's default.
    """
    segments, count = ndimage.label(mask)
    if not count:
        return None
    largest: Bool[np.ndarray, "h w"] = segments == 1 + np.argmax(np.bincount(segments.ravel())[1:])
    return largest


def map_box(values: Float[np.ndarray, "h w"], share: float = BOX_SHARE) -> Box | None:
    """The box around the largest segment of a map that exceeds ``share`` of its maximum.

    None if nothing is above 0.
    """
    peak = values.max()
    segment = largest_segment(values > share * peak) if peak > 0 else None
    if segment is None:
        return None
    rows, columns = np.flatnonzero(segment.any(1)), np.flatnonzero(segment.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_ious(box: Box, others: Float[np.ndarray, "boxes 4"]) -> Float64[np.ndarray, " boxes"]:
    """Intersection over union of a box with each of the others."""
    corners, other_corners = np.asarray(box, np.float64), np.asarray(others, np.float64).reshape(-1, 4)
    sides = np.minimum(corners[2:], other_corners[:, 2:]) - np.maximum(corners[:2], other_corners[:, :2])
    intersections = sides.clip(min=0).prod(1)
    unions = (corners[2:] - corners[:2]).prod() + (other_corners[:, 2:] - other_corners[:, :2]).prod(1) - intersections
    ious: Float64[np.ndarray, " boxes"] = np.divide(
        intersections, unions, out=np.zeros_like(intersections), where=unions > 0
    )
    return ious


def intensity(values: Float[np.ndarray, "h w"], *, signed: bool) -> Float[np.ndarray, "h w"]:
    """The values to cut: the map itself, or a signed map's height above its least value."""
    return values - values.min() if signed else values


def best_iou(
    values: Float[np.ndarray, "h w"], instances: Float[np.ndarray, "boxes 4"], share: float = BOX_SHARE
) -> float:
    """IoU of a map's box with the instance that it overlaps best; 0 if there is no box or no instance."""
    box = map_box(values, share)
    return float(box_ious(box, instances).max(initial=0)) if box else 0.0
