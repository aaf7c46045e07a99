"""Outlines that people draw, as masks: a pixel belongs to one where its centre lies inside.

Positions are in pixels, from the top left corner of the picture: the centre of its first pixel is (0.5, 0.5). What
reaches beyond the picture is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int64

_EDGES = 512
"""Edges of a polygon that are drawn at a time: what bounds the memory."""


class BadRegionError(ValueError):
    """A region that cannot be drawn; the message says why."""


class Outline(Protocol):
    """A region of a picture."""

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """The pixels that belong to it, in a picture of this height and width.

        Raises:
            BadRegionError: if it cannot be drawn there.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """The inside of a closed polygon by the even-odd rule: where it crosses itself, it leaves holes."""

    corners: Float64[np.ndarray, "corners 2"]

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """Each edge turns the pixels to its right from outside to inside or back."""
        check_reach(self.corners, size)
        height, width = size
        turns = np.zeros((height, width + 1), np.int32)
        starts, ends = self.corners, np.roll(self.corners, -1, axis=0)
        for place in range(0, len(starts), _EDGES):
            rows, crossings = _crossings(starts[place : place + _EDGES], ends[place : place + _EDGES], height)
            columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.int64)
            np.add.at(turns, (rows, columns), 1)
        inside: Bool[np.ndarray, "h w"] = np.cumsum(turns, axis=1)[:, :width] % 2 == 1
        return inside


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse: its centre, its radii before it is turned, and by how many degrees it is turned clockwise."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    degrees: float = 0.0

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """The pixels whose centre, turned back, lies within the radii."""
        check_reach(np.array([self.centre, self.radii], np.float64), size)
        if min(self.radii) <= 0 or not math.isfinite(self.degrees):
            raise BadRegionError("an ellipse has no area; radii above 0 are needed")
        x = np.arange(size[1]) + 0.5 - self.centre[0]
        y = np.arange(size[0])[:, None] + 0.5 - self.centre[1]
        cosine, sine = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        along, across = x * cosine + y * sine, y * cosine - x * sine
        inside: Bool[np.ndarray, "h w"] = (along / self.radii[0]) ** 2 + (across / self.radii[1]) ** 2 <= 1
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """A mask of a part of the picture, and the column and row of its first pixel."""

    pixels: Bool[np.ndarray, "h w"]
    left: int
    top: int

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """The part, laid where it belongs."""
        inside = np.zeros(size, np.bool_)
        rows, columns = (slice(max(start, 0), max(start, 0) + max(size)) for start in (self.top, self.left))
        part = self.pixels[max(-self.top, 0) :, max(-self.left, 0) :]
        frame = inside[rows, columns]
        height, width = min(frame.shape[0], part.shape[0]), min(frame.shape[1], part.shape[1])
        frame[:height, :width] = part[:height, :width]
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """A mask of a part of the picture as run lengths, of pixels outside and inside in turn, row by row.

    Attributes:
        lengths: the run lengths.
        size: height and width of the part.
        left: the column of its first pixel.
        top: the row of its first pixel.
    """

    lengths: Int64[np.ndarray, " runs"]
    size: tuple[int, int]
    left: int
    top: int

    def mask(self, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
        """The part, laid where it belongs; it must be within the picture."""
        height, width = self.size
        if min(self.left, self.top) < 0 or self.top + height > size[0] or self.left + width > size[1]:
            raise BadRegionError(f"its mask of {width} x {height} pixels reaches beyond the image")
        lengths_fit = ((self.lengths >= 0) & (self.lengths <= height * width)).all()  # or else a sum could overflow
        if not lengths_fit or self.lengths.sum() != height * width:
            raise BadRegionError(f"its run lengths sum to {self.lengths.sum()}; {height * width} is needed")
        pixels = np.repeat(np.arange(len(self.lengths)) % 2 == 1, self.lengths).reshape(self.size)
        return Bitmap(pixels, self.left, self.top).mask(size)


def box(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> Polygon:
    """A rectangle, turned clockwise about its centre; its sides may be swapped."""
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    if degrees:
        centre = corners.mean(0)
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        corners = (corners - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return Polygon(corners)


def check_reach(positions: np.ndarray, size: tuple[int, int]) -> None:
    """Raise a ``BadRegionError`` for a position that is no number, or far outside a picture of this size."""
    limit = 2 * max(size)
    if not (np.abs(positions) <= limit).all():  # also refuses NaN
        raise BadRegionError(f"it reaches further than {limit} pixels, which is far outside the image")


def _crossings(
    starts: Float64[np.ndarray, "edges 2"], ends: Float64[np.ndarray, "edges 2"], height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where edges cross the middle of rows: the rows, and the positions from the left.

    The upper end of an edge belongs to it and the lower one does not, so that a corner counts once.
    """
    upper, lower = (
        np.clip(np.ceil(side(starts[:, 1], ends[:, 1]) - 0.5), 0, height).astype(np.int64)
        for side in (np.minimum, np.maximum)
    )
    counts = lower - upper
    edges = np.repeat(np.arange(len(starts)), counts)
    rows = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts) + upper[edges]
    (x, y), (to_x, to_y) = starts[edges].T, ends[edges].T
    return rows, x + (rows + 0.5 - y) * (to_x - x) / (to_y - y)
