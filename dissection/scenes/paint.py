"""Paint: a colour, perhaps shading into another, of a material, perhaps with a texture in a second colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from .palette import RGB, darker, lighter, mix, shade

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .dice import Dice


@dataclass(frozen=True, slots=True)
class Paint:
    """The filling of a shape.

    Attributes:
        color: the colour at the top.
        end: the colour at the bottom, if it shades off.
        material: name of the material, or empty.
        texture: name of the texture, or empty.
        ink: the texture's second colour; without it the texture is only a label, and other shapes draw it.
        step: the texture's period, in hundredths of the frame.
    """

    color: RGB
    end: RGB | None = None
    material: str = ""
    texture: str = ""
    ink: RGB | None = None
    step: float = 4.0

    @property
    def flat(self) -> bool:
        """Whether one colour fills it."""
        return self.end is None and self.ink is None

    def fill(self, width: int, height: int, scale: float) -> Image.Image:
        """A rectangle of this paint, ``scale`` pixels per hundredth of the frame."""
        image = _gradient(self.color, self.end or self.color, width, height)
        if self.ink is not None:
            draw = ImageDraw.Draw(image)
            PATTERNS[self.texture](draw, width, height, max(4, round(self.step * scale)), self.ink)
        return image


def _gradient(top: RGB, bottom: RGB, width: int, height: int) -> Image.Image:
    if top == bottom:
        return Image.new("RGB", (width, height), top)
    share = np.linspace(0, 1, height)[:, None]
    column = np.rint(np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    return Image.fromarray(column[:, None, :]).resize((width, height), Image.Resampling.NEAREST)


# Textures: each draws its second colour over a rectangle, `step` pixels per period.


def _striped(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for x in range(0, width, step):
        draw.rectangle((x, 0, x + step // 2 - 1, height), fill=ink)


def _banded(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for y in range(step // 2, height, step):
        draw.rectangle((0, y, width, y + step // 2 - 1), fill=ink)


def _lined(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for y in range(step, height, step):
        draw.line((0, y, width, y), fill=ink, width=2)


def _dotted(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    radius = step * 0.26
    for row, y in enumerate(range(step // 2, height + step, step)):
        for x in range(step // 2 * (row % 2), width + step, step):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _chequered(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    half = step // 2
    for row, y in enumerate(range(0, height, half)):
        for x in range(half * (row % 2), width, 2 * half):
            draw.rectangle((x, y, x + half - 1, y + half - 1), fill=ink)


def _grid(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    _lined(draw, width, height, step, ink)
    for x in range(step, width, step):
        draw.line((x, 0, x, height), fill=ink, width=2)


def _brickwork(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    half = max(4, step // 2)
    for row, y in enumerate(range(0, height, half)):
        draw.line((0, y, width, y), fill=ink, width=2)
        for x in range(half * (row % 2), width, 2 * half):
            draw.line((x, y, x, y + half), fill=ink, width=2)


def _scaly(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for row, y in enumerate(range(-step // 2, height, max(3, step // 2))):
        for x in range(-(step // 2) * (row % 2), width, step):
            draw.arc((x, y, x + step, y + step), 0, 180, fill=ink, width=2)


def _zigzagged(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for y in range(0, height + step, step):
        points = [(x, y + (step // 2) * (index % 2)) for index, x in enumerate(range(0, width + step, step // 2))]
        draw.line(points, fill=ink, width=max(2, step // 4))


def _wavy(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for row, y in enumerate(range(step // 2, height, step)):
        start = -(row * 37 % (3 * step))
        for x in range(start, width, 3 * step):
            draw.arc((x, y - step // 4, x + 2 * step, y + step // 4), 200, 340, fill=ink, width=2)


def _flecked(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    # points of a plane-filling sequence (Roberts' R2): evenly spread, but not in rows
    for index in range(width * height // (step * step)):
        x, y = width * (index * 0.7548777 % 1), height * (index * 0.5698403 % 1)
        draw.ellipse((x, y, x + 2.5, y + 1.5), fill=ink)


def _stratified(draw: ImageDraw.ImageDraw, width: int, height: int, step: int, ink: RGB) -> None:
    for row, y in enumerate(range(step // 2, height, step)):
        depth = 2 + (row * 5) % max(3, step // 2)
        points = [(x, y + (x // 23 * 13 + row * 7) % 5) for x in range(0, width + 23, 23)]
        draw.polygon([*points, (width + 23, y + depth + 3), (0, y + depth)], fill=ink)


PATTERNS: Mapping[str, Callable[[ImageDraw.ImageDraw, int, int, int, RGB], None]] = {
    "banded": _banded,
    "brickwork": _brickwork,
    "chequered": _chequered,
    "dotted": _dotted,
    "flecked": _flecked,
    "grid": _grid,
    "lined": _lined,
    "scaly": _scaly,
    "stratified": _stratified,
    "striped": _striped,
    "wavy": _wavy,
    "zigzagged": _zigzagged,
}


# Materials that several things are made of.


def wood(dice: Dice) -> Paint:
    """Bare wood."""
    return Paint(shade(dice, "brown"), material="wood")


def boards(dice: Dice, color: RGB, step: float = 3.5) -> Paint:
    """Painted boards."""
    return Paint(color, darker(color, 0.12), "wood", "lined", darker(color, dice.between(0.18, 0.3)), step)


def brick(dice: Dice) -> Paint:
    """Brickwork: red, brown, yellow or grey."""
    color = shade(dice, "red", "brown", "orange", "grey")
    return Paint(
        color, darker(color, 0.1), "brick", "brickwork", mix(color, (238, 228, 214), 0.45), dice.between(4, 5.5)
    )


def glass(color: RGB = (168, 205, 222)) -> Paint:
    """Glass that reflects a sky of the given colour."""
    return Paint(lighter(color, 0.25), darker(color, 0.15), "glass")


def metal(color: RGB) -> Paint:
    """Metal, painted or bare."""
    return Paint(color, material="metal")


def cloth(dice: Dice, color: RGB, textures: tuple[str, ...], step: float) -> Paint:
    """Fabric with one of the textures in a second colour; ``""`` means plain."""
    texture = dice.pick(textures)
    ink = _contrast(dice, color) if texture else None
    return Paint(color, material="fabric", texture=texture, ink=ink, step=step)


def _contrast(dice: Dice, color: RGB) -> RGB:
    """White on dark and saturated colours, a strong colour on light ones."""
    if sum(color) > 600:
        return shade(dice, "red", "blue", "green", "orange", "purple", "pink")
    return shade(dice, "white", "yellow", "white")
