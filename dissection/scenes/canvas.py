"""The canvas: a photograph, and what each of its pixels belongs to.

Every shape is drawn twice with the same outline, on planes of the same resolution: once in its paint, once as the
number of its tag. What a later shape hides is hidden on both, so labels are exact to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from .words import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Int32

    from .paint import Paint
    from .palette import RGB

PHOTO = 224
LABELS = 112
PLANE_SIDE = 448
"""Side of the drawing planes in pixels; photograph and label maps are reduced from them."""

SCALE = PLANE_SIDE / 100
"""Pixels per hundredth of the frame, the unit of all positions and sizes."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a thing stands: the middle of its foot, its size (height or width), and the direction it faces."""

    x: float
    y: float
    size: float
    facing: int = 1


@dataclass(frozen=True, slots=True)
class Tag:
    """What a pixel belongs to: label numbers, 0 for none, and the number of its thing, from 1."""

    object: int = 0
    part: int = 0
    material: int = 0
    texture: int = 0
    instance: int = 0


class Canvas:
    """A photograph in the making, and its tags.

    Args:
        absent: names of things that are not to be seen, however they are drawn; it can change in between.
    """

    def __init__(self, absent: frozenset[str] = frozenset()) -> None:
        self.photo = Image.new("RGB", (PLANE_SIDE, PLANE_SIDE))
        self.things: list[str] = []
        self._tags = Image.new("I", (PLANE_SIDE, PLANE_SIDE))
        self._numbers = {Tag(): 0}
        self._color = ImageDraw.Draw(self.photo)
        self._glaze = ImageDraw.Draw(self.photo, "RGBA")
        self._mark = ImageDraw.Draw(self._tags)
        self.absent = absent
        self._scrap = Canvas() if absent else self

    def stuff(self, name: str) -> Pen:
        """A pen for stuff without a fixed outline (sky, sea, wall), in coordinates of the frame, ``y`` downwards."""
        return Pen(self, name, 0, Spot(0, 0, 1))

    def thing(self, name: str, spot: Spot) -> Pen:
        """A pen for a thing at a spot: ``u`` sideways from its middle, ``v`` upwards from its foot, times its size."""
        if name in self.absent:
            return Pen(self._scrap, name, 1, spot)
        self.things.append(name)
        return Pen(self, name, len(self.things), spot)

    def tags(self) -> tuple[Int32[np.ndarray, "h w"], list[Tag]]:
        """The tags at the label maps' resolution, as indices into a list."""
        stride = PLANE_SIDE // LABELS
        return np.asarray(self._tags, dtype=np.int32)[stride // 2 :: stride, stride // 2 :: stride], list(self._numbers)

    def glaze(self, box: tuple[float, float, float, float], color: RGB, opacity: float) -> None:
        """Draw a translucent ellipse of light or shade, soft at its rim; labels do not change."""
        left, top, right, bottom = (value * SCALE for value in box)
        for inset in (0.0, 0.09, 0.18):
            dx, dy = (right - left) * inset, (bottom - top) * inset
            if right - left > 2 * dx + 1 and bottom - top > 2 * dy + 1:
                self._glaze.ellipse((left + dx, top + dy, right - dx, bottom - dy), fill=(*color, round(85 * opacity)))

    def paint(
        self,
        draw: Callable[[ImageDraw.ImageDraw, RGB | int], None],
        bounds: tuple[float, float, float, float],
        paint: Paint,
        tag: Tag,
    ) -> None:
        """Draw one shape within its bounds (pixels) on both planes."""
        draw(self._mark, self._numbers.setdefault(tag, len(self._numbers)))
        if paint.flat:
            draw(self._color, paint.color)
            return
        left, top, right, bottom = (int(np.floor(bounds[0])), int(np.floor(bounds[1])), *_ceil(bounds[2:]))
        width, height = right - left, bottom - top
        if min(right, PLANE_SIDE) <= max(left, 0) or min(bottom, PLANE_SIDE) <= max(top, 0):
            return
        mask = Image.new("L", (PLANE_SIDE, PLANE_SIDE))
        draw(ImageDraw.Draw(mask), 255)
        self.photo.paste(paint.fill(width, height, SCALE), (left, top), mask.crop((left, top, right, bottom)))


def _ceil(values: Sequence[float]) -> tuple[int, int]:
    """The pixel after the last one that a shape covers."""
    return int(np.floor(values[0])) + 2, int(np.floor(values[1])) + 2


class Pen:
    """Draws one thing, part by part."""

    def __init__(self, canvas: Canvas, name: str, instance: int, spot: Spot) -> None:
        self.spot = spot
        self._canvas = canvas
        self._name = name
        self._instance = instance

    def polygon(self, points: Sequence[Point], paint: Paint, part: str = "") -> None:
        """A filled polygon."""
        pixels = [self._pixel(point) for point in points]
        xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
        bounds = (min(xs), min(ys), max(xs), max(ys))
        self._canvas.paint(lambda draw, fill: draw.polygon(pixels, fill=fill), bounds, paint, self._tag(paint, part))

    def box(self, left: float, low: float, right: float, high: float, paint: Paint, part: str = "") -> None:
        """A filled rectangle."""
        bounds = self._bounds(left, low, right, high)
        self._canvas.paint(lambda draw, fill: draw.rectangle(bounds, fill=fill), bounds, paint, self._tag(paint, part))

    def oval(self, left: float, low: float, right: float, high: float, paint: Paint, part: str = "") -> None:
        """A filled ellipse."""
        bounds = self._bounds(left, low, right, high)
        self._canvas.paint(lambda draw, fill: draw.ellipse(bounds, fill=fill), bounds, paint, self._tag(paint, part))

    def line(self, points: Sequence[Point], width: float, paint: Paint, part: str = "") -> None:
        """A line of the given width in a paint without texture."""
        pixels = [self._pixel(point) for point in points]
        pixel_width = max(1, round(width * self.spot.size * SCALE))
        tag = self._tag(paint, part)

        def draw(plane: ImageDraw.ImageDraw, fill: RGB | int) -> None:
            plane.line(pixels, fill=fill, width=pixel_width, joint="curve")

        self._canvas.paint(draw, (0, 0, PLANE_SIDE, PLANE_SIDE), paint, tag)

    def shadow(self, left: float, right: float, depth: float = 0.08) -> None:
        """A shadow at the thing's foot."""
        x, y, size = self.spot.x, self.spot.y, self.spot.size
        self._canvas.glaze((x + left * size, y - depth * size, x + right * size, y + depth * size), (18, 20, 40), 0.55)

    def _pixel(self, point: Point) -> Point:
        spot = self.spot
        up = -1 if self._instance else 1
        return (spot.x + spot.facing * spot.size * point[0]) * SCALE, (spot.y + up * spot.size * point[1]) * SCALE

    def _bounds(self, left: float, low: float, right: float, high: float) -> tuple[float, float, float, float]:
        (x0, y0), (x1, y1) = self._pixel((left, low)), self._pixel((right, high))
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def _tag(self, paint: Paint, part: str) -> Tag:
        return Tag(
            number("object", self._name),
            number("part", part),
            number("material", paint.material),
            number("texture", paint.texture),
            self._instance,
        )
