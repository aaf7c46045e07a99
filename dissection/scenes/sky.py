"""The sky by day and by night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .canvas import Spot
from .paint import Paint
from .palette import RGB, lighter, mix, rgb

if TYPE_CHECKING:
    from .canvas import Canvas
    from .dice import Dice


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: the sky's colour above and at the horizon, and the factors that tint all colours."""

    name: str
    top: RGB
    horizon: RGB
    tint: tuple[float, float, float]


DAY = (
    Light("noon", rgb("4f9bd8"), rgb("cfe8f4"), (1.0, 1.0, 1.0)),
    Light("morning", rgb("8fb9dc"), rgb("fbe3c4"), (1.0, 0.98, 0.93)),
    Light("overcast", rgb("9aa7b2"), rgb("d5dade"), (0.93, 0.95, 0.97)),
    Light("afternoon", rgb("6db5d8"), rgb("f3efd9"), (1.0, 0.99, 0.96)),
    Light("evening", rgb("7a6aa5"), rgb("f7b58a"), (1.0, 0.92, 0.85)),
    Light("sunset", rgb("d9707a"), rgb("fbd08a"), (1.0, 0.9, 0.84)),
)
NIGHT = (
    Light("night", rgb("16213f"), rgb("3d5482"), (0.72, 0.78, 0.95)),
    Light("late dusk", rgb("2b2f5c"), rgb("a8688a"), (0.82, 0.8, 0.93)),
)


def sky(canvas: Canvas, dice: Dice, light: Light) -> None:
    """The sky over the whole frame, with sun, moon, stars and clouds that suit the hour."""
    canvas.stuff("sky").box(0, 0, 100, 75, Paint(light.top, light.horizon))
    canvas.stuff("sky").box(0, 75, 100, 100, Paint(light.horizon))
    if light in NIGHT:
        _night_sky(canvas, dice)
    elif light.name != "overcast" and dice.chance(0.55):
        _sun(canvas, dice, light)
    for _ in range(dice.count(0, 3) if light not in NIGHT else dice.count(0, 1)):
        _cloud(canvas, dice, light)


def _night_sky(canvas: Canvas, dice: Dice) -> None:
    for _ in range(dice.count(8, 20)):
        x, y = dice.between(0, 100), dice.between(0, 40)
        canvas.glaze((x, y, x + 0.9, y + 0.9), (255, 250, 225), 1.0)
    if dice.chance(0.7):
        x, y, size = dice.between(10, 90), dice.between(7, 22), dice.between(7, 11)
        canvas.glaze((x - size, y - size, x + size, y + size), (255, 250, 220), 0.15)
        moon = canvas.thing("moon", Spot(x, y, size))
        moon.oval(-0.5, -0.5, 0.5, 0.5, Paint((250, 244, 214)))
        moon.oval(-0.2, 0.05, 0.05, 0.28, Paint((226, 218, 188)))
        moon.oval(0.05, -0.3, 0.25, -0.1, Paint((230, 222, 192)))


def _sun(canvas: Canvas, dice: Dice, light: Light) -> None:
    low = light.name in {"evening", "sunset"}
    x, y, size = dice.between(8, 92), dice.between(18, 30) if low else dice.between(8, 20), dice.between(9, 14)
    for glow in (1.5, 1.0):
        canvas.glaze((x - size * glow, y - size * glow, x + size * glow, y + size * glow), (255, 244, 200), 0.2)
    color = (255, 206, 110) if low else (255, 234, 150)
    canvas.thing("sun", Spot(x, y, size)).oval(-0.5, -0.5, 0.5, 0.5, Paint(lighter(color, 0.3), color))


def _cloud(canvas: Canvas, dice: Dice, light: Light) -> None:
    pen = canvas.thing("cloud", Spot(dice.between(0, 100), dice.between(8, 30), dice.between(16, 30)))
    white = mix((252, 252, 252), light.horizon, 0.25)
    grey = mix(white, light.top, 0.18)
    pen.oval(-0.5, 0, 0.5, 0.2, Paint(grey))
    for u, v, radius in ((-0.25, 0.1, 0.15), (0.02, 0.14, 0.21), (0.27, 0.1, 0.14)):
        pen.oval(u - radius, v - radius * 0.9, u + radius, v + radius * 0.9, Paint(white, mix(white, grey, 0.6)))
