"""Things that people put up and leave outdoors."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .paint import Paint, cloth, glass, metal
from .palette import darker, lighter, rgb, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canvas import Canvas, Spot
    from .dice import Dice


def streetlight(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A street light with a bent neck or a lantern."""
    pen = canvas.thing("streetlight", spot)
    pen.shadow(-0.1, 0.12, 0.02)
    iron, shine = metal((52, 56, 64)), Paint((255, 236, 160), material="glass")
    pen.line([(0, 0), (0, 0.86)], 0.035, iron, "pole")
    if dice.chance(0.5):
        pen.line([(0, 0.86), (0.06, 0.95), (0.22, 0.96)], 0.03, iron, "pole")
        pen.oval(0.13, 0.87, 0.31, 0.97, shine, "lantern")
    else:
        pen.polygon([(-0.06, 0.84), (-0.09, 0.96), (0.09, 0.96), (0.06, 0.84)], shine, "lantern")
        pen.polygon([(-0.11, 0.95), (0, 1.02), (0.11, 0.95)], iron, "lantern")


def crane(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A harbour crane with a latticed arm and a hook."""
    pen = canvas.thing("crane", spot)
    steel = metal(shade(dice, "red", "orange", "yellow", "blue"))
    for u in (-0.16, 0.12):
        pen.line([(u, 0), (u * 0.7, 0.6)], 0.045, steel)
    for low in (0.05, 0.25, 0.42):
        pen.line([(-0.15, low), (0.11, low + 0.15)], 0.02, steel)
    pen.box(-0.22, 0.58, 0.16, 0.72, steel)
    pen.box(0.02, 0.61, 0.13, 0.7, glass())
    pen.line([(-0.02, 0.7), (0.08, 0.98), (0.6, 0.86)], 0.02, metal((60, 62, 70)), "arm")
    pen.line([(-0.3, 0.74), (0.62, 0.84)], 0.05, steel, "arm")
    pen.line([(0.55, 0.82), (0.55, 0.5)], 0.014, metal((60, 62, 70)), "hook")
    pen.box(0.5, 0.43, 0.6, 0.51, metal((60, 62, 70)), "hook")


def container(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """One to three stacked containers of ribbed steel."""
    for level in range(dice.count(1, 3)):
        pen = canvas.thing("container", spot)
        color = shade(dice, "red", "blue", "green", "orange", "grey", "purple")
        shift, low = dice.between(-0.06, 0.06), level * 0.4
        steel = Paint(color, darker(color, 0.08), "metal", "striped", darker(color, 0.22), spot.size * 0.07)
        pen.box(-0.5 + shift, low, 0.5 + shift, low + 0.4, steel)
        pen.box(0.32 + shift, low + 0.02, 0.5 + shift, low + 0.38, metal(darker(color, 0.12)), "door")


def bench(canvas: Canvas, dice: Dice, spot: Spot, colors: Sequence[str] = ("brown", "green", "red", "brown")) -> None:
    """A park bench of slats."""
    pen = canvas.thing("bench", spot)
    pen.shadow(-0.55, 0.6, 0.08)
    slat = Paint(shade(dice, *colors), material="wood")
    for u in (-0.4, 0.4):
        pen.box(u - 0.03, 0, u + 0.03, 0.5, metal((52, 56, 64)), "leg")
    for low in (0.32, 0.43, 0.54):
        pen.box(-0.5, low, 0.5, low + 0.075, slat, "backrest")
    pen.polygon(
        [(-0.5, 0.28), (-0.56, 0.18), (0.56, 0.18), (0.5, 0.28)],
        Paint(lighter(slat.color, 0.12), material="wood"),
        "seat",
    )


def fence(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A stretch of wooden fence."""
    pen = canvas.thing("fence", spot)
    plank = Paint(shade(dice, "white", "brown", "white", "grey"), material="wood")
    for low in (0.12, 0.27):
        pen.box(-1.0, low, 1.0, low + 0.06, Paint(darker(plank.color, 0.1), material="wood"))
    for index in range(9):
        u = -1.0 + index * 0.25
        pen.polygon([(u - 0.04, 0), (u - 0.04, 0.4), (u, 0.45), (u + 0.04, 0.4), (u + 0.04, 0)], plank, "post")


def hay_bale(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A round bale of hay."""
    pen = canvas.thing("hay bale", spot)
    pen.shadow(-0.5, 0.6)
    color = dice.pick((rgb("e0b84f"), rgb("d8b860"), rgb("c9a545")))
    pen.oval(-0.1, 0, 0.55, 0.78, Paint(darker(color, 0.18), material="straw"))
    pen.box(-0.15, 0, 0.22, 0.78, Paint(darker(color, 0.08), darker(color, 0.25), "straw"))
    for inset, tone in ((0.0, 0.0), (0.09, 0.16), (0.14, 0.0), (0.23, 0.16), (0.28, 0.0)):
        pen.oval(
            -0.5 + inset, inset, 0.28 - inset, 0.78 - inset, Paint(darker(lighter(color, 0.15), tone), material="straw")
        )


def umbrella(
    canvas: Canvas,
    dice: Dice,
    spot: Spot,
    colors: Sequence[str] = ("red", "blue", "green", "orange", "purple", "pink", "yellow"),
) -> None:
    """A sunshade with gores in a colour and in white."""
    pen = canvas.thing("umbrella", spot)
    pen.shadow(-0.5, 0.5, 0.06)
    pen.line([(0, 0), (0, 0.8)], 0.03, Paint((240, 236, 226), material="wood"), "pole")
    gores = (shade(dice, *colors), rgb("fbf8f0"))
    us = (-0.55, -0.36, -0.13, 0.13, 0.36, 0.55)
    for index, (left, right) in enumerate(pairwise(us)):
        gore = [
            (0, 0.98),
            (left * 0.75, 0.86),
            (left, 0.62),
            ((left + right) / 2, 0.66),
            (right, 0.62),
            (right * 0.75, 0.86),
        ]
        pen.polygon(gore, Paint(gores[index % 2], darker(gores[index % 2], 0.1), "fabric", "striped"), "canopy")
    pen.line([(0, 0.96), (0, 1.03)], 0.025, Paint((240, 236, 226), material="wood"), "pole")


def towel(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A beach towel on the ground."""
    pen = canvas.thing("towel", spot)
    fabric = cloth(
        dice,
        shade(dice, "red", "blue", "green", "orange", "purple", "pink", "white"),
        ("striped", "banded", "zigzagged"),
        3,
    )
    pen.polygon([(-0.5, 0), (-0.3, 0.26), (0.5, 0.26), (0.34, 0)], fabric)


def ball(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A ball with panels."""
    pen = canvas.thing("ball", spot)
    pen.shadow(-0.5, 0.55, 0.12)
    colors = [shade(dice, "red", "orange"), shade(dice, "yellow", "white"), shade(dice, "blue", "green")]
    for half, color in zip((0.5, 0.32, 0.12), colors, strict=True):
        pen.oval(-half, 0, half, 1, Paint(lighter(color, 0.1), darker(color, 0.1), "plastic"))
