"""The pointing game: is what a map is strongest at part of the object (Sec. 4.3), and does it know what is absent?

Zhang et al. 2016 (Excitation Backprop): the class is given, and the point of the map's maximum is a hit where it lies
within an instance, or at most 15 pixels from one. The paper adds the network's top-5 predictions, each of which may be
rejected where the map's maximum is below a threshold: a hit is a prediction of what is there, pointed at, or the
rejection of what is not there. Its App. D asks only whether the maximum tells present from absent. The paper does not
say how the threshold is found; here it is chosen on one half of the images and used on the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float64

TOLERANCE = 15
"""Pixels by which Zhang et al. let a point miss."""


def peak(values: Float[np.ndarray, "h w"]) -> tuple[int, int] | None:
    """Row and column of a map's maximum, the first in reading order; None of a map that is the same everywhere."""
    if values.min() == values.max():
        return None
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return int(row), int(column)


def within(inside: Bool[np.ndarray, "h w"], tolerance: float = 0) -> Bool[np.ndarray, "h w"]:
    """Pixels whose centre is at most ``tolerance`` pixels from that of a pixel inside; none where nothing is."""
    if not tolerance or not inside.any():
        return inside
    reach = math.ceil(tolerance)
    ((rows, columns),) = ndimage.find_objects(inside.view(np.uint8))
    around = np.s_[max(rows.start - reach, 0) : rows.stop + reach, max(columns.start - reach, 0) : columns.stop + reach]
    near = np.zeros_like(inside)
    near[around] = ndimage.distance_transform_edt(~inside[around]) <= tolerance
    return near


def is_hit(values: Float[np.ndarray, "h w"], near: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the map's maximum is at one of these pixels; a map that is the same everywhere points nowhere."""
    point = peak(values)
    return point is not None and bool(near[point])


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Predictions and what their maps do.

    Attributes:
        peaks: each map's maximum.
        present: whether the predicted class is in the image.
        pointed: whether the map points at it.
    """

    peaks: Float64[np.ndarray, " claims"]
    present: Bool[np.ndarray, " claims"]
    pointed: Bool[np.ndarray, " claims"]

    def hits(self, threshold: float) -> Bool[np.ndarray, " claims"]:
        """Sec. 4.3: present, not rejected and pointed at, or absent and rejected."""
        found = self.present & self.pointed
        hits: Bool[np.ndarray, " claims"] = np.where(self.peaks < threshold, ~self.present, found)
        return hits

    def told_apart(self, threshold: float) -> Bool[np.ndarray, " claims"]:
        """App. D: rejected where absent, and only there."""
        right: Bool[np.ndarray, " claims"] = (self.peaks >= threshold) == self.present
        return right

    def best_threshold(self) -> float:
        """Where the hits are the most: one of the maxima, or above all of them; the lowest of equally good ones."""
        order = np.argsort(self.peaks)
        absent, found = ~self.present[order], (self.present & self.pointed)[order]
        candidates = np.append(np.unique(self.peaks), np.inf)
        below = np.searchsorted(self.peaks[order], candidates)
        rejected, kept = (np.concatenate([[0], hits.cumsum()]) for hits in (absent, found))
        return float(candidates[np.argmax(rejected[below] + kept[-1] - kept[below])])


def halves(images: int, seed: int = 0) -> Bool[np.ndarray, " images"]:
    """Which images the threshold is chosen on: a random half, since neighbours in a dataset can be of one kind."""
    chosen = np.zeros(images, bool)
    chosen[np.random.default_rng(seed).permutation(images)[: images // 2]] = True
    return chosen
