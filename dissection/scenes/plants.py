"""Plants, and the stones between them."""

from __future__ import annotations

from math import cos, pi, sin
from typing import TYPE_CHECKING

from .paint import Paint, wood
from .palette import darker, lighter, rgb, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canvas import Canvas, Pen, Spot
    from .dice import Dice


def tree(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A leafy tree, in summer or in autumn."""
    pen = canvas.thing("tree", spot)
    pen.shadow(-0.32, 0.36, 0.05)
    bark = wood(dice).color
    pen.polygon([(-0.06, 0), (-0.035, 0.5), (0.035, 0.5), (0.06, 0)], Paint(bark, darker(bark), "wood"), "trunk")
    leaf = shade(dice, *dice.pick((("green",), ("green",), ("green",), ("orange", "yellow", "red"))))
    for u, v, radius in ((-0.17, 0.5, 0.17), (0.17, 0.52, 0.17), (0.0, 0.48, 0.16), (0.0, 0.72, 0.24)):
        x, y = u + dice.between(-0.03, 0.03), v + dice.between(-0.02, 0.02)
        pen.oval(x - radius, y - radius, x + radius, y + radius, Paint(leaf, darker(leaf, 0.25), "foliage"), "crown")
    light = Paint(lighter(leaf, 0.18), leaf, "foliage")
    for u, v, radius in ((-0.08, 0.78, 0.11), (-0.2, 0.55, 0.07), (0.1, 0.6, 0.08)):
        pen.oval(u - radius, v - radius, u + radius, v + radius, light, "crown")


def fir(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A fir: tiers of needles on a short trunk."""
    pen = canvas.thing("fir", spot)
    pen.shadow(-0.25, 0.28, 0.04)
    pen.box(-0.045, 0, 0.045, 0.2, wood(dice), "trunk")
    needle = dice.pick((rgb("2f5f46"), rgb("3a6b4a"), rgb("4a7f5a"), rgb("2a5a5a"), rgb("3f6b3f")))
    for tier in range(tiers := dice.count(3, 4)):
        low = 0.12 + 0.66 * tier / tiers
        half = 0.29 * (1 - 0.75 * tier / tiers)
        color = lighter(needle, 0.07 * tier)
        pen.polygon(
            [(-half, low), (0, low + 0.4), (half, low)], Paint(lighter(color, 0.12), darker(color, 0.12), "foliage")
        )
        pen.polygon([(0.02, low + 0.02), (0, low + 0.4), (half, low)], Paint(darker(color, 0.16), material="foliage"))


def palm(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A palm with a bent trunk."""
    pen = canvas.thing("palm", spot)
    pen.shadow(-0.2, 0.3, 0.04)
    lean = dice.between(0.05, 0.25)
    bark = Paint(rgb("a67c52"), material="wood")
    bend = [(lean * t * t, 0.72 * t) for t in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    pen.line(bend, 0.06, bark, "trunk")
    for u, v in bend[1:5]:
        pen.line([(u - 0.025, v), (u + 0.03, v + 0.012)], 0.012, Paint(rgb("7d5a3a"), material="wood"), "trunk")
    for index, angle in enumerate((-25, 5, 40, 85, 140, 175, 205)):
        color = darker(rgb("5f9e52"), 0.3) if index % 2 else rgb("5f9e52")
        _frond(pen, lean, 0.72, (angle + dice.between(-8, 8)) * pi / 180, Paint(color, material="foliage"))
    for u in (-0.035, 0.03):
        pen.oval(lean + u - 0.03, 0.66, lean + u + 0.03, 0.72, Paint(rgb("6b4a2c"), material="wood"))


def _frond(pen: Pen, u: float, v: float, angle: float, paint: Paint) -> None:
    spine = [(t * 0.4 * cos(angle), t * 0.34 * sin(angle) - 0.2 * t * t) for t in (0, 0.35, 0.7, 1.0)]
    widths = (0.01, 0.055, 0.045, 0.0)
    above = [(u + x, v + y + w) for (x, y), w in zip(spine, widths, strict=True)]
    below = [(u + x, v + y - w) for (x, y), w in zip(spine, widths, strict=True)]
    pen.polygon([*above, *reversed(below)], paint, "frond")


def bush(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A round bush."""
    pen = canvas.thing("bush", spot)
    pen.shadow(-0.5, 0.55)
    leaf = shade(dice, "green")
    for u, top in ((-0.25, 0.4), (0.25, 0.42), (0.0, 0.58)):
        pen.oval(u - 0.28, 0, u + 0.28, top, Paint(lighter(leaf, 0.1), darker(leaf, 0.25), "foliage"))


def flower(
    canvas: Canvas,
    dice: Dice,
    spot: Spot,
    colors: Sequence[str] = ("red", "pink", "purple", "yellow", "white", "blue", "orange"),
) -> None:
    """A clump of flowers in one colour."""
    pen = canvas.thing("flower", spot)
    petals = Paint(shade(dice, *colors))
    for u, v in ((-0.3, 0.55), (0.3, 0.6), (0.0, 0.8)):
        _blossom(pen, u + dice.between(-0.06, 0.06), v + dice.between(-0.1, 0.1), petals)


def _blossom(pen: Pen, u: float, v: float, petals: Paint) -> None:
    pen.line([(u * 0.4, 0), (u, v)], 0.06, Paint(rgb("4a8a4f"), material="foliage"), "stem")
    for petal in range(5):
        x, y = u + 0.13 * cos(petal * 2 * pi / 5), v + 0.13 * sin(petal * 2 * pi / 5)
        pen.oval(x - 0.1, y - 0.1, x + 0.1, y + 0.1, petals, "blossom")
    pen.oval(u - 0.07, v - 0.07, u + 0.07, v + 0.07, Paint((245, 205, 80)), "blossom")


def cactus(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A saguaro with two arms, some in blossom."""
    pen = canvas.thing("cactus", spot)
    pen.shadow(-0.25, 0.4, 0.05)
    color = dice.pick((rgb("4a8a5f"), rgb("5f9e62"), rgb("3f7a52")))
    paint = Paint(lighter(color, 0.12), darker(color, 0.1), "foliage")
    for side, low, high in ((-1, 0.3, 0.62), (1, 0.42, dice.between(0.65, 0.85))):
        pen.box(side * 0.05, low, side * 0.3, low + 0.12, paint, "arm")
        pen.box(side * 0.2, low, side * 0.32, high, paint, "arm")
        pen.oval(side * 0.2, high - 0.06, side * 0.32, high + 0.06, paint, "arm")
    pen.box(-0.09, 0, 0.09, 0.92, paint)
    pen.oval(-0.09, 0.83, 0.09, 1.0, paint)
    for u in (-0.04, 0.0, 0.04):
        pen.line([(u, 0.03), (u, 0.93)], 0.012, Paint(darker(color, 0.25), material="foliage"))
    if dice.chance(0.6):
        pink = Paint(shade(dice, "pink", "red", "yellow"))
        pen.oval(-0.07, 0.95, 0.07, 1.06, pink, "blossom")
        pen.oval(0.2, 0.82, 0.31, 0.92, pink, "blossom")


def mushroom(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A mushroom whose cap is plain brown or red with white dots."""
    pen = canvas.thing("mushroom", spot)
    pen.shadow(-0.4, 0.45)
    pen.polygon([(-0.14, 0), (-0.09, 0.55), (0.09, 0.55), (0.14, 0)], Paint(rgb("efe6d2"), rgb("d8caae")), "stem")
    dome = [(-0.5, 0.48), *[(-0.5 * cos(t * pi / 10), 0.48 + 0.5 * sin(t * pi / 10)) for t in range(11)]]
    if dice.chance(0.75):
        color = shade(dice, "red")
        pen.polygon(
            dome, Paint(color, darker(color, 0.15), texture="dotted", ink=(250, 246, 238), step=spot.size * 0.28), "cap"
        )
    else:
        color = shade(dice, "brown")
        pen.polygon(dome, Paint(lighter(color, 0.15), color), "cap")


def rock(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A boulder."""
    pen = canvas.thing("rock", spot)
    pen.shadow(-0.5, 0.55, 0.1)
    color = dice.pick((rgb("9aa0a4"), rgb("82898f"), rgb("a59f96"), rgb("a5826a")))
    top = dice.between(0.45, 0.65)
    pen.polygon(
        [(-0.5, 0), (-0.42, 0.3), (-0.15, top), (0.2, top * 0.95), (0.45, 0.32), (0.5, 0)],
        Paint(color, material="stone"),
    )
    pen.polygon([(-0.15, top), (0.2, top * 0.95), (0.05, 0.3), (-0.3, 0.33)], Paint(lighter(color), material="stone"))
    pen.polygon(
        [(0.05, 0.3), (0.2, top * 0.95), (0.45, 0.32), (0.5, 0), (0.12, 0)], Paint(darker(color), material="stone")
    )


def mesa(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A table mountain of layered rock."""
    pen = canvas.thing("rock", spot)
    color = dice.pick((rgb("c07a52"), rgb("b5694a"), rgb("c98f62"), rgb("a5705a")))
    outline = [(-0.75, 0), (-0.5, 0.35), (-0.42, 0.95), (-0.3, 1), (0.3, 0.97), (0.4, 0.9), (0.5, 0.35), (0.8, 0)]
    pen.polygon(outline, Paint(lighter(color), darker(color, 0.1), "stone", "stratified", darker(color, 0.25), 2.8))
