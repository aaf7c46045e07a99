"""Things that stand and hang in rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paint import Paint, cloth, metal, wood
from .palette import darker, lighter, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .canvas import Canvas, Pen, Spot
    from .dice import Dice

_KNOB = Paint((236, 214, 150), material="metal")


def bed(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A bed seen from its foot and slightly from the side."""
    pen = canvas.thing("bed", spot)
    pen.shadow(-0.55, 0.6, 0.06)
    frame = wood(dice) if dice.chance(0.7) else metal(shade(dice, "black", "white"))
    pen.polygon([(-0.36, 0.3), (-0.36, 0.74), (-0.3, 0.8), (0.3, 0.8), (0.36, 0.74), (0.36, 0.3)], frame, "headboard")
    pen.polygon([(-0.36, 0.5), (0.36, 0.5), (0.5, 0.18), (-0.5, 0.18)], Paint((247, 244, 238), material="fabric"))
    linen = shade(dice, "white", "white", "blue", "pink", "yellow")
    for u in (-0.17, 0.17):
        pen.polygon(
            [(u - 0.15, 0.45), (u - 0.13, 0.6), (u, 0.63), (u + 0.13, 0.6), (u + 0.15, 0.45), (u, 0.42)],
            Paint(lighter(linen, 0.3), darker(linen, 0.12), "fabric"),
            "pillow",
        )
    cover = cloth(dice, shade(dice), ("", "striped", "chequered", "dotted", "zigzagged", "banded"), 5)
    pen.polygon(
        [(-0.39, 0.44), (0.39, 0.44), (0.52, 0.16), (0.53, 0.06), (-0.53, 0.06), (-0.52, 0.16)], cover, "blanket"
    )
    pen.polygon(
        [(-0.39, 0.44), (0.39, 0.44), (0.41, 0.39), (-0.41, 0.39)],
        Paint(lighter(cover.color, 0.45), material="fabric"),
        "blanket",
    )
    for u in (-0.5, 0.45):
        pen.box(u, 0, u + 0.05, 0.07, frame, "leg")


def nightstand(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A nightstand with two drawers."""
    pen = canvas.thing("nightstand", spot)
    pen.shadow(-0.5, 0.55)
    body = wood(dice) if dice.chance(0.6) else Paint(shade(dice, "white", "blue", "green"), material="wood")
    for u in (-0.38, 0.3):
        pen.box(u, 0, u + 0.08, 0.2, body, "leg")
    pen.box(-0.45, 0.15, 0.45, 1.0, body)
    pen.box(-0.5, 0.94, 0.5, 1.0, Paint(darker(body.color, 0.2), material="wood"))
    for low in (0.22, 0.58):
        pen.box(-0.36, low, 0.36, low + 0.28, Paint(lighter(body.color, 0.16), material="wood"), "drawer")
        pen.oval(-0.06, low + 0.1, 0.06, low + 0.2, _KNOB, "handle")


def lamp(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A table or floor lamp with a cloth shade."""
    pen = canvas.thing("lamp", spot)
    x, y, size = spot.x, spot.y - spot.size * 0.75, spot.size * 0.7
    canvas.glaze((x - size, y - size, x + size, y + size), (255, 236, 170), 0.2)
    pen.oval(-0.16, -0.03, 0.16, 0.07, metal((90, 82, 76)), "stem")
    pen.line([(0, 0), (0, 0.6)], 0.06, metal((90, 82, 76)), "stem")
    color = shade(dice, "yellow", "white", "orange", "red", "green", "pink")
    pen.polygon(
        [(-0.32, 0.5), (-0.18, 1.0), (0.18, 1.0), (0.32, 0.5)], Paint(color, lighter(color, 0.5), "fabric"), "lampshade"
    )


def hanging_lamp(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A lamp that hangs from the ceiling."""
    pen = canvas.thing("lamp", spot)
    pen.line([(0, 0.45), (0, 3.0)], 0.03, metal((60, 60, 66)), "stem")
    x, y, size = spot.x, spot.y, spot.size * 0.9
    canvas.glaze((x - size, y - size, x + size, y + size), (255, 236, 170), 0.2)
    pen.oval(-0.14, -0.12, 0.14, 0.14, Paint((255, 242, 190), material="glass"))
    color = shade(dice, "red", "black", "green", "orange", "blue", "white")
    pen.polygon(
        [(-0.42, 0), (-0.36, 0.22), (-0.12, 0.48), (0.12, 0.48), (0.36, 0.22), (0.42, 0)],
        Paint(lighter(color, 0.1), color, "metal"),
        "lampshade",
    )


def painting(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A framed painting, of hills or of shapes."""
    pen = canvas.thing("painting", spot)
    half = dice.between(0.35, 0.65)
    pen.box(-half, 0, half, 1, Paint(shade(dice, "brown", "black", "yellow", "white"), material="wood"), "frame")
    pen.box(
        -half + 0.08,
        0.08,
        half - 0.08,
        0.92,
        Paint(lighter(shade(dice, "blue", "yellow", "pink"), 0.5), material="paper"),
    )
    colors = [Paint(shade(dice), material="paper") for _ in range(2)]
    if dice.chance(0.5):
        pen.polygon([(-half + 0.08, 0.08), (-half * 0.3, 0.62), (half * 0.3, 0.08)], colors[0])
        pen.polygon([(-half * 0.2, 0.08), (half * 0.4, 0.5), (half - 0.08, 0.08)], colors[1])
    else:
        pen.oval(-half * 0.6, 0.35, half * 0.2, 0.8, colors[0])
        pen.box(-half * 0.1, 0.18, half * 0.6, 0.5, colors[1])


def rug(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A rug on the floor."""
    pen = canvas.thing("rug", spot)
    cover = cloth(dice, shade(dice), ("banded", "zigzagged", "dotted", "chequered", "striped"), 4)
    if dice.chance(0.4):
        pen.oval(-0.5, 0, 0.5, 0.32, cover)
    else:
        pen.polygon([(-0.5, 0), (-0.4, 0.26), (0.4, 0.26), (0.5, 0)], cover)


def curtain(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A pair of curtains beside a window of width one."""
    color = shade(dice)
    folds = Paint(color, darker(color, 0.1), "fabric", "striped", darker(color, 0.16), spot.size * 0.11)
    for left, right in ((-0.78, -0.42), (0.42, 0.78)):
        pen = canvas.thing("curtain", spot)
        pen.polygon([(left + 0.04, 1.15), (right - 0.04, 1.15), (right, -0.35), (left, -0.35)], folds)


def wardrobe(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A wardrobe with two doors."""
    pen = canvas.thing("wardrobe", spot)
    pen.shadow(-0.32, 0.36, 0.03)
    color = shade(dice, "brown", "white", "brown", "blue", "green")
    pen.box(-0.3, 0, 0.3, 1.0, Paint(color, darker(color, 0.1), "wood"))
    pen.box(-0.33, 0.95, 0.33, 1.0, Paint(darker(color), material="wood"))
    for left, knob in ((-0.26, -0.04), (0.02, 0.04)):
        pen.box(left, 0.06, left + 0.24, 0.91, Paint(lighter(color, 0.15), color, "wood"), "door")
        pen.box(knob - 0.012, 0.42, knob + 0.012, 0.54, _KNOB, "handle")


def bookcase(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A bookcase full of books of every colour."""
    pen = canvas.thing("bookcase", spot)
    pen.shadow(-0.4, 0.42, 0.02)
    plank = wood(dice)
    pen.box(-0.38, 0, 0.38, 1.0, Paint(darker(plank.color, 0.45), material="wood"))
    rows = dice.count(4, 5)
    for row in range(rows):
        low = 0.05 + 0.92 * row / rows
        _books(pen, dice, low, 0.92 / rows)
    for row in range(rows + 1):
        low = 0.02 + 0.92 * row / rows
        pen.box(-0.38, low, 0.38, low + 0.03, plank, "shelf")
    for u in (-0.4, 0.36):
        pen.box(u, 0, u + 0.04, 1.0, plank)


def _books(pen: Pen, dice: Dice, low: float, room: float) -> None:
    u = -0.35
    while u < 0.33:
        width = dice.between(0.03, 0.065)
        if dice.chance(0.93):
            color = shade(dice)
            high = low + room * dice.between(0.6, 0.83)
            pen.box(u, low, u + width - 0.006, high, Paint(color, material="paper"), "book")
            pen.box(
                u,
                high - room * 0.2,
                u + width - 0.006,
                high - room * 0.14,
                Paint(lighter(color, 0.5), material="paper"),
                "book",
            )
        u += width


def ladder(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A leaning ladder."""
    pen = canvas.thing("ladder", spot)
    color = Paint(lighter(wood(dice).color, 0.25), material="wood")
    for index in range(1, 8):
        t = index / 8
        pen.line([(-0.13 + 0.12 * t, t), (0.11 + 0.12 * t, t)], 0.028, color, "rung")
    for u in (-0.14, 0.1):
        pen.line([(u, 0), (u + 0.12, 1.0)], 0.04, color)


def table(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A wooden table, some with a table cloth."""
    pen = canvas.thing("table", spot)
    pen.shadow(-0.5, 0.55, 0.06)
    plank = wood(dice)
    for u, low in ((-0.44, 0), (0.38, 0), (-0.32, 0.09), (0.27, 0.09)):
        pen.box(u, low, u + 0.06, 0.5, Paint(darker(plank.color, 0.15), material="wood"), "leg")
    top = plank
    if dice.chance(0.3):
        top = cloth(dice, shade(dice, "red", "blue", "green", "yellow"), ("chequered", "dotted"), 3)
    pen.polygon([(-0.5, 0.46), (-0.4, 0.62), (0.4, 0.62), (0.5, 0.46)], top, "tabletop")
    pen.box(-0.5, 0.41, 0.5, 0.47, Paint(darker(top.color, 0.12), material=top.material), "tabletop")


def chair(
    canvas: Canvas,
    dice: Dice,
    spot: Spot,
    colors: Sequence[str] = ("brown", "white", "red", "blue", "green", "brown"),
) -> None:
    """A wooden chair."""
    pen = canvas.thing("chair", spot)
    pen.shadow(-0.3, 0.35, 0.05)
    plank = Paint(shade(dice, *colors), material="wood")
    dark = Paint(darker(plank.color), material="wood")
    for u in (-0.22, 0.17):
        pen.box(u, 0.45, u + 0.05, 0.98, plank, "backrest")
    for low in (0.62, 0.75, 0.88):
        pen.box(-0.2, low, 0.2, low + 0.08, plank, "backrest")
    for u, low in ((-0.2, 0.08), (0.15, 0.08), (-0.27, 0), (0.22, 0)):
        pen.box(u, low, u + 0.05, 0.46, dark, "leg")
    pen.polygon([(-0.29, 0.42), (-0.22, 0.54), (0.22, 0.54), (0.29, 0.42)], plank, "seat")
    pen.box(-0.29, 0.37, 0.29, 0.43, dark, "seat")
