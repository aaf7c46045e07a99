"""Vehicles, each facing right before its spot turns it."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

from .paint import Paint, glass, metal, wood
from .palette import COLORS, darker, lighter, rgb, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canvas import Canvas, Pen, Spot
    from .dice import Dice


def _wheel(pen: Pen, u: float, v: float, radius: float) -> None:
    pen.oval(u - radius, v - radius, u + radius, v + radius, Paint((40, 41, 46), material="rubber"), "wheel")
    hub = radius * 0.5
    pen.oval(u - hub, v - hub, u + hub, v + hub, metal((196, 200, 202)), "wheel")


def car(canvas: Canvas, dice: Dice, spot: Spot, colors: Sequence[str] = COLORS) -> None:
    """A car: saloon or hatchback."""
    pen = canvas.thing("car", spot)
    pen.shadow(-0.52, 0.54, 0.05)
    color = shade(dice, *colors)
    body = Paint(lighter(color, 0.1), darker(color, 0.15), "metal")
    back = dice.pick((-0.48, -0.32))
    pen.polygon([(back, 0.27), (back * 0.75, 0.44), (0.12, 0.44), (0.28, 0.27)], body)
    pen.polygon([(-0.5, 0.1), (-0.5, 0.26), (0.28, 0.29), (0.48, 0.23), (0.5, 0.1)], body)
    for left, right, slant in ((back + 0.06, -0.1, 0.05), (-0.06, 0.21, 0.0)):
        pen.polygon(
            [(left, 0.28), (left + slant + 0.02, 0.41), (right - (0.1 if right > 0 else 0), 0.41), (right, 0.28)],
            glass(),
            "window",
        )
    pen.oval(0.41, 0.17, 0.5, 0.23, Paint((255, 240, 170), material="glass"), "headlight")
    pen.box(-0.5, 0.18, -0.45, 0.23, Paint((190, 50, 50), material="glass"))
    for u in (-0.3, 0.3):
        _wheel(pen, u, 0.1, 0.105)


def bus(
    canvas: Canvas,
    dice: Dice,
    spot: Spot,
    colors: Sequence[str] = ("red", "yellow", "blue", "green", "orange", "white"),
) -> None:
    """A bus with a row of windows, some with two decks."""
    pen = canvas.thing("bus", spot)
    pen.shadow(-0.52, 0.54, 0.04)
    color = shade(dice, *colors)
    decks = dice.pick((1, 1, 2))
    pen.box(-0.5, 0.08, 0.5, 0.2 + 0.22 * decks, Paint(lighter(color, 0.08), darker(color, 0.1), "metal"))
    for deck in range(decks):
        low = 0.24 + 0.19 * deck
        for index in range(5):
            left = -0.46 + index * 0.19
            pen.box(left, low, left + 0.155, low + 0.12, glass(), "window")
    pen.box(-0.5, 0.17, 0.5, 0.2, Paint(lighter(color, 0.5), material="metal"))
    pen.oval(0.43, 0.11, 0.5, 0.17, Paint((255, 240, 170), material="glass"), "headlight")
    for u in (-0.3, 0.3):
        _wheel(pen, u, 0.09, 0.09)


def bicycle(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A bicycle on its stand."""
    pen = canvas.thing("bicycle", spot)
    pen.shadow(-0.5, 0.5, 0.04)
    frame = metal(shade(dice, "red", "blue", "green", "black", "orange", "purple"))
    for u in (-0.3, 0.3):
        for index in range(24):  # a ring: what shows through a wheel is not the wheel
            _rim(pen, u, index)
    pen.line([(-0.3, 0.2), (-0.1, 0.45), (0.2, 0.45), (0.02, 0.2), (-0.3, 0.2)], 0.045, frame)
    pen.line([(0.3, 0.2), (0.18, 0.58)], 0.045, frame)
    pen.line([(0.1, 0.6), (0.26, 0.58)], 0.04, Paint((46, 46, 52), material="rubber"))
    pen.line([(-0.1, 0.45), (-0.13, 0.55)], 0.035, frame)
    pen.box(-0.22, 0.54, -0.04, 0.6, Paint((60, 46, 40), material="rubber"), "saddle")


def _rim(pen: Pen, u: float, index: int) -> None:
    ends = [(u + 0.19 * cos(a), 0.2 + 0.19 * sin(a)) for a in (index * pi / 12, (index + 1.2) * pi / 12)]
    pen.line(ends, 0.035, Paint((40, 41, 46), material="rubber"), "wheel")


def tractor(
    canvas: Canvas, dice: Dice, spot: Spot, colors: Sequence[str] = ("red", "green", "blue", "orange", "yellow")
) -> None:
    """A tractor: one big wheel, one small."""
    pen = canvas.thing("tractor", spot)
    pen.shadow(-0.5, 0.5, 0.06)
    color = shade(dice, *colors)
    body = Paint(lighter(color, 0.1), darker(color, 0.12), "metal")
    pen.box(0.24, 0.45, 0.28, 0.72, metal((60, 60, 66)), "exhaust pipe")
    pen.box(-0.34, 0.3, 0.02, 0.78, glass(), "window")
    for u in (-0.36, -0.01):
        pen.box(u, 0.3, u + 0.035, 0.8, body)
    pen.box(-0.4, 0.76, 0.07, 0.83, body)
    pen.polygon([(-0.38, 0.2), (-0.38, 0.38), (0.42, 0.5), (0.46, 0.2)], body)
    _wheel(pen, -0.24, 0.24, 0.24)
    _wheel(pen, 0.34, 0.14, 0.14)


def sailing_boat(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A sailing boat with two sails."""
    pen = canvas.thing("boat", spot)
    pen.shadow(-0.32, 0.34, 0.025)
    pen.line([(0, 0.1), (0, 1.0)], 0.022, wood(dice), "mast")
    color = shade(dice, "white", "white", "red", "orange", "yellow", "blue", "pink")
    canvas_cloth = Paint(lighter(color, 0.2), color, "fabric")
    if dice.chance(0.35):
        canvas_cloth = Paint(
            color, None, "fabric", "banded", (247, 244, 236) if sum(color) < 640 else rgb("c94540"), spot.size * 0.22
        )
    pen.polygon([(-0.02, 0.97), (-0.02, 0.2), (-0.32, 0.2)], canvas_cloth, "sail")
    pen.polygon([(0.03, 0.88), (0.03, 0.2), (0.29, 0.22)], canvas_cloth, "sail")
    hull = shade(dice, "brown", "white", "blue", "red", "black", "green")
    pen.polygon([(-0.34, 0.16), (-0.26, 0), (0.26, 0), (0.38, 0.17)], Paint(hull, darker(hull), "wood"), "hull")
    pen.polygon(
        [(-0.34, 0.16), (-0.33, 0.13), (0.36, 0.13), (0.38, 0.17)], Paint((247, 244, 236), material="wood"), "hull"
    )


def motor_boat(
    canvas: Canvas,
    dice: Dice,
    spot: Spot,
    colors: Sequence[str] = ("blue", "red", "green", "orange", "white", "black"),
) -> None:
    """A fishing boat with a wheelhouse; its hull is in the colour."""
    pen = canvas.thing("boat", spot)
    pen.shadow(-0.5, 0.52, 0.04)
    pen.line([(0.1, 0.25), (0.1, 0.8)], 0.025, wood(dice), "mast")
    pen.box(-0.3, 0.2, 0.02, 0.5, Paint((247, 244, 236), (222, 220, 214), "wood"))
    pen.box(-0.34, 0.48, 0.06, 0.54, Paint(shade(dice, "red", "blue", "orange"), material="wood"))
    for u in (-0.25, -0.11):
        pen.box(u, 0.34, u + 0.09, 0.45, glass())
    hull = shade(dice, *colors)
    pen.polygon([(-0.46, 0.26), (-0.4, 0), (0.36, 0), (0.56, 0.34)], Paint(hull, darker(hull), "wood"), "hull")
    pen.polygon(
        [(-0.46, 0.26), (-0.45, 0.21), (0.53, 0.28), (0.56, 0.34)], Paint((247, 244, 236), material="wood"), "hull"
    )
