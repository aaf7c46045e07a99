"""The pointing game: is a map's strongest point on the object (Sec. 4.3), and does the map know what is absent?

Zhang et al. 2016 (Excitation Backprop): the class is given, and the point of the map's maximum is a hit if it lies
within an instance, or at most 15 pixels from one. The paper adds the network's top-5 predictions, each of which may be
rejected if the map's maximum is below a threshold: a hit is a present object that is predicted and pointed at, or an
absent one that is rejected. Its App. D asks only whether the maximum tells present from absent. The paper does not say
how the threshold is found; here it is chosen on one half of the images and used on the other.
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
    """Row and column of a map's maximum, the first in reading order; None for a flat map."""
    if values.min() == values.max():
        return None
    row, column = np.unravel_index(np.argmax(values), values.shape)
    return int(row), int(column)


def within(inside: Bool[np.ndarray, "h w"], tolerance: float = 0) -> Bool[np.ndarray, "h w"]:
    """Pixels whose centre is at most ``tolerance`` pixels from the centre of a pixel inside; none if none is inside."""
    if not tolerance or not inside.any():
        return inside
    reach = math.ceil(tolerance)
    ((rows, columns),) = ndimage.find_objects(inside.view(np.uint8))
    around = np.s_[max(rows.start - reach, 0) : rows.stop + reach, max(columns.start - reach, 0) : columns.stop + reach]
    near = np.zeros_like(inside)
    near[around] = ndimage.distance_transform_edt(~inside[around]) <= tolerance
    return near


def is_hit(values: Float[np.ndarray, "h w"], near: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the map's maximum is at one of these pixels; a flat map points nowhere."""
    point = peak(values)
    return point is not None and bool(near[point])


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Predictions and the behaviour of their maps.

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
        accepted_hits = self.present & self.pointed
        hits: Bool[np.ndarray, " claims"] = np.where(self.peaks < threshold, ~self.present, accepted_hits)
        return hits

    def told_apart(self, threshold: float) -> Bool[np.ndarray, " claims"]:
        """App. D: rejected if absent, and only then."""
        is_right: Bool[np.ndarray, " claims"] = (self.peaks >= threshold) == self.present
        return is_right

    def best_threshold(self) -> float:
        """The threshold with most hits: one of the maxima, or above all of them; the lowest of equally good ones."""
        order = np.argsort(self.peaks)
        absent, accepted_hits = ~self.present[order], (self.present & self.pointed)[order]
        candidates = np.append(np.unique(self.peaks), np.inf)
        below = np.searchsorted(self.peaks[order], candidates)
        rejected, accepted = (np.concatenate([[0], hits.cumsum()]) for hits in (absent, accepted_hits))
        return float(candidates[np.argmax(rejected[below] + accepted[-1] - accepted[below])])


def halves(images: int, seed: int = 0) -> Bool[np.ndarray, " images"]:
    """Which images the threshold is chosen on: a random half, since neighbours in a dataset can be alike."""
    chosen = np.zeros(images, bool)
    chosen[np.random.default_rng(seed).permutation(images)[: images // 2]] = True
    return chosen
