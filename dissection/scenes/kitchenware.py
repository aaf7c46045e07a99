"""Things that stand in a kitchen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paint import Paint, metal
from .palette import RGB, darker, lighter, mix, rgb, shade

_KNOB = Paint((236, 214, 150), material="metal")

if TYPE_CHECKING:
    from .canvas import Canvas, Spot
    from .dice import Dice


def cupboard(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A wall cupboard with two doors, of width one."""
    pen = canvas.thing("cupboard", spot)
    color = shade(dice, "white", "green", "blue", "brown", "yellow")
    pen.box(-0.5, 0, 0.5, 0.8, Paint(darker(color, 0.1), material="wood"))
    for left, knob in ((-0.45, -0.08), (0.03, 0.08)):
        pen.box(left, 0.05, left + 0.42, 0.75, Paint(lighter(color, 0.15), color, "wood"), "door")
        pen.box(knob - 0.02, 0.1, knob + 0.02, 0.25, _KNOB, "handle")


def counter(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A kitchen counter with doors under a stone worktop."""
    pen = canvas.thing("counter", spot)
    color = shade(dice, "white", "green", "blue", "brown", "grey", "red")
    pen.box(-0.5, 0, 0.5, 0.36, Paint(darker(color, 0.12), material="wood"))
    for index in range(4):
        left = -0.49 + index * 0.247
        pen.box(left, 0.03, left + 0.23, 0.33, Paint(lighter(color, 0.12), color, "wood"), "door")
        pen.box(left + 0.09, 0.28, left + 0.14, 0.3, _KNOB, "handle")
    stone = shade(dice, "grey", "black", "white", "brown")
    pen.box(-0.52, 0.35, 0.52, 0.4, Paint(lighter(stone, 0.2), stone, "stone"), "worktop")


def stove(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A stove with an oven, as tall as a counter."""
    pen = canvas.thing("stove", spot)
    color: RGB = dice.pick((rgb("e9e7e0"), rgb("b4b8ba"), rgb("3a3d44"), rgb("c94540")))
    pen.box(-0.45, 0, 0.45, 1.0, Paint(lighter(color, 0.1), darker(color, 0.1), "metal"))
    for index, u in enumerate((-0.32, -0.12, 0.08, 0.28)):
        pen.oval(u - 0.05, 0.82, u + 0.05, 0.92, metal((60, 62, 68) if index % 2 else (200, 60, 50)))
    pen.box(-0.36, 0.1, 0.36, 0.68, Paint((34, 36, 42), (78, 66, 62), "glass"), "oven door")
    pen.box(-0.26, 0.2, 0.26, 0.56, Paint((120, 74, 44), (226, 140, 62), "glass"), "oven door")
    pen.box(-0.34, 0.7, 0.34, 0.76, metal((214, 216, 216)), "handle")
    for u in (-0.24, 0.24):
        pen.box(u - 0.17, 1.0, u + 0.17, 1.05, metal((42, 44, 50)), "burner")


def fridge(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A fridge with a freezer on top."""
    pen = canvas.thing("fridge", spot)
    pen.shadow(-0.28, 0.32, 0.03)
    color = shade(dice, "white", "grey", "white", "red", "blue", "green")
    pen.box(-0.25, 0, 0.25, 1.0, metal(darker(color, 0.25)))
    for low, high in ((0.04, 0.64), (0.66, 0.98)):
        pen.box(-0.23, low, 0.23, high, Paint(lighter(color, 0.2), color, "metal"), "door")
    for low, high in ((0.4, 0.58), (0.71, 0.83)):
        pen.box(-0.18, low, -0.14, high, metal((110, 114, 120)), "handle")


def pot(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A cooking pot with its lid."""
    pen = canvas.thing("pot", spot)
    color = shade(dice, "red", "grey", "blue", "orange", "green", "black")
    pen.line([(-0.56, 0.36), (0.56, 0.36)], 0.08, metal((60, 62, 68)), "handle")
    pen.polygon(
        [(-0.42, 0.55), (-0.38, 0), (0.38, 0), (0.42, 0.55)], Paint(lighter(color), darker(color, 0.1), "ceramic")
    )
    pen.polygon(
        [(-0.45, 0.52), (-0.3, 0.7), (0.3, 0.7), (0.45, 0.52)],
        Paint(mix(color, (250, 250, 250), 0.35), material="ceramic"),
        "lid",
    )
    pen.oval(-0.07, 0.68, 0.07, 0.8, metal((60, 62, 68)), "lid")
