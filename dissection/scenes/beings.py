"""People and animals, each facing right before its spot turns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paint import Paint, cloth
from .palette import RGB, darker, lighter, rgb, shade

if TYPE_CHECKING:
    from .canvas import Canvas, Pen, Spot
    from .dice import Dice

_SKIN = ("f1c9a5", "d9a078", "b57a52", "7d5238", "f5d5b8")
_HAIR = ("2f2620", "5a3a24", "a5762f", "8c8680", "b5502a")


def person(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A person who stands or walks."""
    pen = canvas.thing("person", spot)
    pen.shadow(-0.2, 0.25, 0.04)
    skin = Paint(rgb(dice.pick(_SKIN)), material="skin")
    trousers = Paint(shade(dice, "blue", "black", "brown", "grey", "green", "purple"), material="fabric")
    shirt = cloth(dice, shade(dice), ("", "", "banded", "striped"), spot.size * 0.09)
    stride = dice.between(0.01, 0.09)
    for side in (-1, 1):
        pen.line([(side * 0.045, 0.46), (side * (0.045 + stride), 0.02)], 0.085, trousers, "leg")
    pen.line([(-0.12, 0.75), (-0.17, dice.between(0.46, 0.6))], 0.055, skin, "arm")
    pen.polygon([(-0.125, 0.8), (-0.1, 0.42), (0.1, 0.42), (0.125, 0.8), (0.06, 0.84), (-0.06, 0.84)], shirt, "torso")
    pen.line([(0.12, 0.76), (dice.between(0.14, 0.25), dice.between(0.5, 0.9))], 0.055, skin, "arm")
    hair = Paint(rgb(dice.pick(_HAIR)))
    pen.oval(-0.085, 0.83, 0.085, 1.02, hair, "head")
    pen.oval(-0.06, 0.83, 0.085, 0.975, skin, "head")


def _legs(pen: Pen, places: tuple[float, ...], height: float, width: float, paint: Paint) -> None:
    for index, u in enumerate(places):
        color = darker(paint.color, 0.25) if index % 2 else paint.color
        pen.box(u - width / 2, 0, u + width / 2, height, Paint(color, material=paint.material), "leg")


def _eye(pen: Pen, u: float, v: float, radius: float = 0.014) -> None:
    pen.oval(u - radius, v - radius, u + radius, v + radius, Paint((30, 28, 30)), "head")


def cow(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A cow with patches."""
    pen = canvas.thing("cow", spot)
    pen.shadow(-0.5, 0.55)
    coat, patch = dice.pick((("f4f1ea", "2f3136"), ("f4f1ea", "8a5a3a"), ("a5683f", "f4f1ea"), ("5a3d2c", "e9dcc8")))
    fur, spots = Paint(rgb(coat), material="fur"), Paint(rgb(patch), material="fur")
    pen.line([(-0.44, 0.58), (-0.52, 0.3)], 0.03, spots, "tail")
    _legs(pen, (-0.36, -0.25, 0.2, 0.3), 0.3, 0.08, fur)
    pen.box(-0.4, 0.27, 0.34, 0.6, fur)
    pen.oval(-0.47, 0.26, -0.25, 0.62, fur)
    pen.oval(-0.2, 0.22, 0.15, 0.4, fur)
    for u, v, half in ((-0.25, 0.5, 0.11), (0.1, 0.42, 0.12)):
        pen.oval(u - half, v - 0.1, u + half, v + 0.09, spots)
    pen.polygon([(0.25, 0.6), (0.42, 0.72), (0.5, 0.55), (0.34, 0.35)], fur)
    pen.oval(0.34, 0.46, 0.6, 0.74, spots, "head")
    pen.oval(0.46, 0.44, 0.66, 0.6, Paint(rgb("efb2a5"), material="fur"), "head")
    pen.line([(0.38, 0.72), (0.36, 0.82)], 0.03, Paint(rgb("e6dcc4")), "head")
    _eye(pen, 0.48, 0.65)


def sheep(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A woolly sheep."""
    pen = canvas.thing("sheep", spot)
    pen.shadow(-0.5, 0.5)
    wool, dark = Paint(rgb("f3efe4"), rgb("d6d0c2"), "fur"), Paint(shade(dice, "black", "brown"), material="fur")
    _legs(pen, (-0.25, -0.14, 0.14, 0.25), 0.25, 0.07, dark)
    for u, v, radius in ((-0.28, 0.42, 0.18), (0.25, 0.42, 0.18), (-0.1, 0.52, 0.2), (0.12, 0.52, 0.2), (0, 0.36, 0.2)):
        pen.oval(u - radius, v - radius, u + radius, v + radius, wool)
    pen.oval(0.32, 0.42, 0.58, 0.68, dark, "head")
    pen.oval(0.3, 0.6, 0.46, 0.76, wool, "head")
    _eye(pen, 0.48, 0.58, 0.02)


def deer(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A stag."""
    pen = canvas.thing("deer", spot)
    pen.shadow(-0.35, 0.4, 0.05)
    color = dice.pick((rgb("a5683f"), rgb("8a5a3a"), rgb("b57d50")))
    fur = Paint(lighter(color, 0.08), darker(color, 0.08), "fur")
    _legs(pen, (-0.26, -0.18, 0.14, 0.22), 0.36, 0.05, Paint(darker(color, 0.1), material="fur"))
    pen.oval(-0.34, 0.28, 0.3, 0.56, fur)
    pen.oval(-0.37, 0.42, -0.29, 0.54, Paint(rgb("efe6d2"), material="fur"))
    pen.polygon([(0.1, 0.5), (0.27, 0.8), (0.38, 0.76), (0.29, 0.4)], fur)
    horn = Paint(rgb("d9c49a"))
    for u in (0.27, 0.33):
        lean = u - 0.3
        pen.line([(u, 0.82), (u + 3 * lean - 0.04, 0.98), (u + 3 * lean, 1.12)], 0.03, horn, "antler")
        pen.line([(u + 2 * lean, 0.93), (u + 5 * lean + 0.02, 1.02)], 0.025, horn, "antler")
    pen.polygon([(0.24, 0.74), (0.24, 0.86), (0.34, 0.87), (0.5, 0.76), (0.49, 0.71), (0.36, 0.71)], fur, "head")
    _eye(pen, 0.36, 0.81)


def camel(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A camel with one hump or two, some with a blanket."""
    pen = canvas.thing("camel", spot)
    pen.shadow(-0.45, 0.5)
    color = dice.pick((rgb("b58a52"), rgb("a5743f"), rgb("8a6238")))
    fur = Paint(lighter(color, 0.05), darker(color, 0.1), "fur")
    _legs(pen, (-0.3, -0.21, 0.14, 0.23), 0.42, 0.06, Paint(darker(color, 0.06), material="fur"))
    pen.line([(0.2, 0.5), (0.4, 0.5), (0.46, 0.85)], 0.1, fur)
    pen.oval(-0.38, 0.35, 0.32, 0.68, fur)
    for u in dice.pick(((-0.05,), (-0.19, 0.1))):
        pen.polygon([(u - 0.16, 0.6), (u - 0.05, 0.86), (u + 0.05, 0.86), (u + 0.16, 0.6)], fur, "hump")
    if dice.chance(0.5):
        rug = cloth(dice, shade(dice, "red", "blue", "purple", "green"), ("zigzagged", "striped"), spot.size * 0.1)
        pen.polygon([(-0.14, 0.68), (-0.17, 0.42), (0.07, 0.42), (0.05, 0.68)], rug)
    pen.polygon([(0.4, 0.82), (0.42, 0.94), (0.5, 0.96), (0.66, 0.88), (0.65, 0.81)], fur, "head")
    _eye(pen, 0.52, 0.9)


def dog(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A dog with its tail up."""
    pen = canvas.thing("dog", spot)
    pen.shadow(-0.45, 0.5)
    color = shade(dice, "brown", "black", "white", "grey", "orange")
    fur = Paint(color, material="fur")
    pen.line([(-0.34, 0.48), (-0.52, 0.74)], 0.07, fur, "tail")
    _legs(pen, (-0.28, -0.18, 0.14, 0.24), 0.3, 0.09, fur)
    pen.oval(-0.4, 0.25, 0.34, 0.56, fur)
    pen.oval(0.16, 0.44, 0.46, 0.76, fur, "head")
    pen.oval(0.32, 0.46, 0.58, 0.6, Paint(lighter(color, 0.2), material="fur"), "head")
    pen.oval(0.12, 0.46, 0.25, 0.74, Paint(darker(color, 0.3), material="fur"), "head")
    pen.oval(0.53, 0.52, 0.6, 0.58, Paint((30, 28, 30)), "head")
    _eye(pen, 0.35, 0.65, 0.02)
    if dice.chance(0.5):
        pen.line([(0.2, 0.47), (0.36, 0.44)], 0.05, Paint(shade(dice, "red", "blue"), material="fabric"))


def duck(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A swimming duck."""
    pen = canvas.thing("duck", spot)
    body, head = dice.pick((("f4f1ea", "f4f1ea"), ("a58a6a", "2f6b46"), ("e8b93a", "f0c84b"), ("8a6a4a", "7d5a3a")))
    pen.polygon(
        [(-0.5, 0.36), (-0.35, 0.05), (0.25, 0), (0.42, 0.22), (0.2, 0.34), (-0.2, 0.26)],
        Paint(rgb(body), material="fur"),
    )
    pen.oval(-0.32, 0.06, 0.14, 0.28, Paint(darker(rgb(body), 0.15), material="fur"), "wing")
    pen.oval(0.14, 0.25, 0.44, 0.56, Paint(rgb(head), material="fur"), "head")
    pen.polygon([(0.41, 0.44), (0.62, 0.38), (0.41, 0.33)], Paint(rgb("e08a3c")), "beak")
    _eye(pen, 0.33, 0.45, 0.025)


def bird(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A bird in flight, seen from the side."""
    pen = canvas.thing("bird", spot)
    color: RGB = dice.pick((rgb("fdfcf8"), rgb("d5d8d8"), rgb("82898f")))
    lift = dice.between(0.2, 0.45)
    pen.polygon([(0, 0.05), (-0.28, lift), (-0.55, lift - 0.06), (-0.2, 0)], Paint(darker(color, 0.25)), "wing")
    pen.oval(-0.24, -0.1, 0.24, 0.1, Paint(color))
    pen.polygon([(0.12, 0.05), (0.28, lift), (0.55, lift - 0.06), (0.0, 0)], Paint(darker(color, 0.12)), "wing")
    pen.oval(0.16, -0.05, 0.34, 0.11, Paint(color), "head")
    pen.polygon([(0.33, 0.05), (0.44, 0.02), (0.33, 0.0)], Paint(rgb("e8b93a")), "head")
