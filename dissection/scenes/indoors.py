"""Scenes in rooms. They share walls, floors, lamps, pictures and windows: only the furniture tells them apart."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .beings import dog, person
from .canvas import Spot
from .furniture import (
    bed,
    bookcase,
    chair,
    curtain,
    hanging_lamp,
    ladder,
    lamp,
    nightstand,
    painting,
    rug,
    table,
    wardrobe,
)
from .kitchenware import counter, cupboard, fridge, pot, stove
from .paint import Paint
from .palette import darker, lighter, rgb, shade
from .sky import DAY, NIGHT, Light
from .stage import Cast, perform

if TYPE_CHECKING:
    from .canvas import Canvas
    from .dice import Dice

_LAMPLIGHT = Light("lamplight", rgb("16213f"), rgb("3d5482"), (0.97, 0.9, 0.8))
_DAYLIGHT = Light("daylight", rgb("8fb9dc"), rgb("e6f2f8"), (1.0, 1.0, 1.0))


def _room(canvas: Canvas, dice: Dice, *, tiled: float = 0.0) -> float:
    """Wall and floor; returns where they meet."""
    foot, pen = dice.between(62, 70), canvas.stuff("wall")
    color = lighter(
        shade(dice, "white", "yellow", "pink", "blue", "green", "orange", "grey", "purple", "brown"),
        dice.between(0.35, 0.6),
    )
    ink = darker(color, 0.12)
    if dice.chance(tiled):
        paint = Paint(lighter(color, 0.3), color, "tile", "grid", darker(color, 0.18), 6)
    elif dice.chance(0.45):
        paint = Paint(
            color,
            material="paper",
            texture=dice.pick(("striped", "dotted", "zigzagged")),
            ink=ink,
            step=dice.between(6, 8),
        )
    else:
        paint = Paint(color, darker(color, 0.08), "plaster")
    pen.box(0, 0, 100, foot, paint)
    pen.box(0, foot - 2.2, 100, foot, Paint(lighter(color, 0.5), material="wood"))
    (_chequered_floor if dice.chance(0.7 * tiled + 0.1) else _boarded_floor)(canvas, dice, foot)
    return foot


def _boarded_floor(canvas: Canvas, dice: Dice, top: float) -> None:
    pen, color = canvas.stuff("floor"), lighter(shade(dice, "brown", "brown", "orange", "grey"), 0.12)
    pen.box(0, top, 100, 100, Paint(darker(color, 0.1), color, "wood", "striped"))
    gap = Paint(darker(color, 0.28), material="wood", texture="striped")
    for index in range(-9, 10):
        far, near = 50 + index * 8, 50 + index * 15
        pen.polygon([(far, top), (far + 0.5, top), (near + 0.8, 101), (near, 101)], gap)


def _chequered_floor(canvas: Canvas, dice: Dice, top: float) -> None:
    pen, dark = canvas.stuff("floor"), shade(dice, "black", "red", "blue", "green", "brown", "grey")
    tones = [Paint(color, material="tile", texture="chequered") for color in (dark, rgb("f0ece2"))]
    depths = [0.0, 0.16, 0.36, 0.64, 1.0]
    for row, (far, near) in enumerate(pairwise(depths)):
        y0, y1 = top + (101 - top) * far, top + (101 - top) * near
        for column in range(-6, 6):
            corners = [
                (50 + (column + side) * (10 + 8 * depth), y)
                for side, depth, y in ((0, far, y0), (1, far, y0), (1, near, y1), (0, near, y1))
            ]
            pen.polygon(corners, tones[(row + column) % 2])


def _window(canvas: Canvas, dice: Dice, x: float, foot: float) -> Light:
    """A window in the wall, sometimes with curtains; returns the light that it lets in."""
    night = dice.chance(0.3)
    outside = dice.pick(NIGHT if night else DAY)
    pen, spot = canvas.stuff("wall"), Spot(x, foot - dice.between(28, 32), dice.between(24, 30))
    half, left, right = spot.size / 2, spot.x - spot.size / 2, spot.x + spot.size / 2
    top = spot.y - spot.size
    frame = Paint((247, 244, 236), material="wood")
    pen.box(left, top, right, spot.y, frame, "window")
    for x0, y0 in (
        (left + 1.2, top + 1.2),
        (spot.x + 0.6, top + 1.2),
        (left + 1.2, spot.y - half + 0.6),
        (spot.x + 0.6, spot.y - half + 0.6),
    ):
        pen.box(x0, y0, x0 + half - 1.8, y0 + half - 1.8, Paint(outside.top, outside.horizon, "glass"), "window")
    pen.box(left - 1.5, spot.y - 0.5, right + 1.5, spot.y + 1.5, frame, "window")
    if dice.chance(0.6):
        curtain(canvas, dice, Spot(spot.x, spot.y, spot.size))
    return _LAMPLIGHT if night else _DAYLIGHT


def bedroom(canvas: Canvas, dice: Dice) -> Light:
    """A bed, a nightstand with its lamp, a wardrobe, a window."""
    foot, side = _room(canvas, dice), dice.pick((-1, 1))
    light = _DAYLIGHT
    middle = 50 + side * dice.between(4, 14)
    if dice.chance(0.5):
        light = _window(canvas, dice, middle + side * dice.between(-4, 12), foot)
    else:
        painting(canvas, dice, Spot(middle, foot - dice.between(26, 32), dice.between(16, 22)))
    if dice.chance(0.7):
        wardrobe(canvas, dice, Spot(50 - side * dice.between(32, 38), foot + 3, dice.between(56, 64)))
    if dice.chance(0.6):
        rug(canvas, dice, Spot(middle - side * dice.between(4, 24), dice.between(92, 99), dice.between(44, 60)))
    stand = Spot(middle - side * dice.between(34, 38), foot + 9, dice.between(17, 21))
    if dice.chance(0.8):
        nightstand(canvas, dice, stand)
        lamp(canvas, dice, Spot(stand.x, stand.y - stand.size, dice.between(18, 22)))
    bed(canvas, dice, Spot(middle, dice.between(84, 92), dice.between(56, 68), side))
    if dice.chance(0.2):
        dog(canvas, dice, Spot(50 - side * 30, dice.between(88, 96), dice.between(16, 20), side))
    return light


def kitchen(canvas: Canvas, dice: Dice) -> Light:
    """Counters, a stove with pots, a fridge, cupboards."""
    foot, side = _room(canvas, dice, tiled=0.75), dice.pick((-1, 1))
    light, tall = _DAYLIGHT, dice.between(29, 33)
    spots = dice.sample((-22, 4, 30), 3)
    if dice.chance(0.55):
        light = _window(canvas, dice, 50 + side * spots[0], foot - 6)
    elif dice.chance(0.7):
        painting(canvas, dice, Spot(50 + side * spots[0], foot - dice.between(32, 36), dice.between(14, 18)))
    for offset in spots[1:]:
        if dice.chance(0.75):
            cupboard(canvas, dice, Spot(50 + side * offset, foot - dice.between(36, 40), dice.between(24, 26)))
    counter(canvas, dice, Spot(50 + side * 12, foot + 6, tall / 0.4 * 1.0))
    oven = Spot(50 + side * dice.pick((-6, 10, 28)), foot + 6.5, tall)
    stove(canvas, dice, oven)
    for u in (-0.24, 0.24):
        if dice.chance(0.7):
            pot(canvas, dice, Spot(oven.x + u * oven.size, oven.y - oven.size * 1.04, dice.between(11, 14)))
    if dice.chance(0.8):
        fridge(canvas, dice, Spot(50 - side * dice.between(34, 38), foot + 8, dice.between(56, 64)))
    if dice.chance(0.45):
        hanging_lamp(canvas, dice, Spot(dice.between(25, 75), dice.between(16, 24), dice.between(16, 20)))
    perform(canvas, dice, [
        Cast(table, (0, 1), (40, 48), (90, 99)),
        Cast(chair, (0, 1), (30, 36), (88, 99)),
        Cast(person, (0, 1), (46, 54), (84, 94)),
    ])  # fmt: skip
    return light


def library(canvas: Canvas, dice: Dice) -> Light:
    """Bookcases along the wall, a table, a ladder."""
    foot, light = _room(canvas, dice), _DAYLIGHT
    size = dice.between(54, 64)
    slots = [14.0, 50.0, 86.0] if dice.chance(0.5) else [24.0, 74.0]
    gap = dice.count(0, len(slots)) if len(slots) == 3 else 3
    for index, x in enumerate(slots):
        if index == gap:
            light = _window(canvas, dice, x, foot)
        else:
            bookcase(canvas, dice, Spot(x + dice.between(-2, 2), foot + 3, size))
    if dice.chance(0.7):
        ladder(canvas, dice, Spot(dice.between(15, 80), foot + 8, size * dice.between(0.9, 1.05)))
    if dice.chance(0.4):
        hanging_lamp(canvas, dice, Spot(dice.between(25, 75), dice.between(14, 18), dice.between(16, 20)))
    if dice.chance(0.4):
        rug(canvas, dice, Spot(dice.between(30, 70), dice.between(92, 99), dice.between(44, 60)))
    perform(canvas, dice, [
        Cast(chair, (0, 1, 2), (30, 38), (80, 98)),
        Cast(person, (0, 1), (46, 54), (80, 94)),
    ])  # fmt: skip
    if dice.chance(0.55):
        desk = Spot(dice.between(30, 70), dice.between(92, 98), dice.between(42, 52))
        table(canvas, dice, desk)
        lamp(
            canvas,
            dice,
            Spot(desk.x + desk.size * dice.between(-0.3, 0.3), desk.y - 0.55 * desk.size, dice.between(18, 22)),
        )
    return light
