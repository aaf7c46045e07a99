"""Buildings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paint import Paint, boards, brick, glass, metal
from .palette import RGB, darker, lighter, shade

if TYPE_CHECKING:
    from .canvas import Canvas, Pen, Spot
    from .dice import Dice

_LIT = Paint((255, 222, 130), (250, 200, 96), "glass")


def _tiles(dice: Dice, spot: Spot) -> Paint:
    color = shade(dice, "red", "brown", "grey", "orange")
    return Paint(color, darker(color, 0.15), "tile", "scaly", darker(color, 0.25), max(2.5, spot.size * 0.09))


def _plaster(dice: Dice) -> Paint:
    color = lighter(shade(dice, "white", "yellow", "pink", "blue", "green", "orange"), 0.35)
    return Paint(color, darker(color, 0.06), "plaster")


def _window(pen: Pen, left: float, low: float, right: float, high: float, pane: Paint) -> None:
    """A window with a light frame and a vertical bar."""
    frame, rim = Paint((244, 240, 230), material="wood"), (right - left) * 0.12
    pen.box(left, low, right, high, frame, "window")
    pen.box(left + rim, low + rim, right - rim, high - rim, pane, "window")
    middle = (left + right) / 2
    pen.box(middle - rim / 2, low, middle + rim / 2, high, frame, "window")


def _door(pen: Pen, dice: Dice, left: float, right: float, high: float) -> None:
    color = shade(dice, "red", "green", "blue", "brown", "white", "black")
    pen.box(left, 0, right, high, Paint(color, darker(color, 0.15), "wood"), "door")
    knob = right - (right - left) * 0.2
    pen.oval(
        knob - 0.012, high * 0.45, knob + 0.012, high * 0.45 + 0.024, Paint((240, 205, 110), material="metal"), "door"
    )


def house(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A town house of brick or plaster: two or three storeys, a tiled roof, a chimney."""
    pen = canvas.thing("house", spot)
    half, wall = dice.between(0.26, 0.32), 0.68
    roof = _tiles(dice, spot)
    chimney = half * dice.pick((-0.6, 0.45))
    pen.box(chimney, wall + 0.1, chimney + 0.08, 1.0, brick(dice), "chimney")
    pen.box(-half, 0, half, wall, brick(dice) if dice.chance(0.55) else _plaster(dice))
    if dice.chance(0.5):
        pen.polygon([(-half - 0.03, wall - 0.02), (0, wall + 0.28), (half + 0.03, wall - 0.02)], roof, "roof")
    else:
        pen.polygon(
            [
                (-half - 0.03, wall - 0.02),
                (-half * 0.7, wall + 0.2),
                (half * 0.7, wall + 0.2),
                (half + 0.03, wall - 0.02),
            ],
            roof,
            "roof",
        )
    pane = _LIT if dice.chance(0.3) else glass()
    door = dice.count(0, 2)
    for column in range(3):
        middle = half * 0.62 * (column - 1)
        for low in (0.42, 0.07):
            if low == 0.07 and column == door:
                _door(pen, dice, middle - 0.06, middle + 0.06, 0.24)
            else:
                _window(pen, middle - 0.06, low, middle + 0.06, low + 0.17, pane)


def barn(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A wooden barn with a kinked roof and a braced door."""
    pen = canvas.thing("barn", spot)
    pen.shadow(-0.6, 0.6, 0.03)
    color = shade(dice, "red", "red", "brown", "grey", "white", "green")
    outline = [(-0.5, 0), (-0.5, 0.48), (-0.36, 0.78), (0, 0.96), (0.36, 0.78), (0.5, 0.48), (0.5, 0)]
    pen.polygon(outline, Paint(color, darker(color, 0.1), "wood", "striped", darker(color, 0.16), spot.size * 0.09))
    eaves = [(-0.56, 0.46), (-0.4, 0.8), (0, 1.0), (0.4, 0.8), (0.56, 0.46)]
    slate = Paint(shade(dice, "grey", "black", "brown"), material="tile")
    pen.polygon([*eaves, *[(u * 0.86, v - 0.07) for u, v in reversed(eaves)]], slate, "roof")
    white = Paint((244, 240, 230), material="wood")
    pen.box(-0.2, 0, 0.2, 0.4, white, "door")
    for left, right in ((-0.17, -0.015), (0.015, 0.17)):
        pen.box(left, 0.02, right, 0.37, Paint(darker(color, 0.12), material="wood"), "door")
        pen.line([(left, 0.02), (right, 0.37)], 0.022, white, "door")
        pen.line([(left, 0.37), (right, 0.02)], 0.022, white, "door")
    _window(pen, -0.1, 0.55, 0.1, 0.72, Paint((70, 62, 66), material="glass"))


def cabin(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A log cabin."""
    pen = canvas.thing("cabin", spot)
    pen.shadow(-0.6, 0.6, 0.04)
    log = shade(dice, "brown")
    pen.box(0.22, 0.55, 0.34, 0.95, Paint(shade(dice, "grey"), material="stone"), "chimney")
    pen.box(-0.5, 0, 0.5, 0.48, boards(dice, log, spot.size * 0.085))
    color = shade(dice, "green", "red", "grey", "brown")
    roof = Paint(color, darker(color), "tile", "scaly", darker(color, 0.3), max(2.5, spot.size * 0.1))
    pen.polygon([(-0.6, 0.44), (-0.38, 0.84), (0.38, 0.84), (0.6, 0.44)], roof, "roof")
    pane = _LIT if dice.chance(0.6) else glass()
    _door(pen, dice, -0.09, 0.09, 0.36)
    _window(pen, -0.4, 0.15, -0.2, 0.36, pane)
    _window(pen, 0.2, 0.15, 0.4, 0.36, pane)


def skyscraper(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A tower of glass and concrete whose lit windows differ."""
    pen = canvas.thing("skyscraper", spot)
    half, top = dice.between(0.14, 0.2) * 60 / max(spot.size, 45), dice.between(0.9, 1.0)
    color = shade(dice, "grey", "blue", "brown", "black", "purple", "white", "grey")
    if dice.chance(0.5):
        pen.line([(0, top), (0, top + 0.16)], 0.02, Paint(shade(dice, "grey", "red"), material="metal"), "antenna")
    if dice.chance(0.5):
        pen.box(-half * 0.6, top - 0.02, half * 0.6, top + 0.06, Paint(darker(color, 0.1), material="stone"))
    pen.box(-half, 0, half, top, Paint(lighter(color, 0.06), darker(color, 0.12), "stone"))
    pen.box(half * 0.55, 0, half, top, Paint(darker(color, 0.2), material="stone"))
    _facade(pen, dice, half, top, color)


def _facade(pen: Pen, dice: Dice, half: float, top: float, color: RGB) -> None:
    columns, rows, lit = dice.count(3, 4), dice.count(6, 10), dice.between(0.1, 0.7)
    step, storey = 2 * half / columns, top / (rows + 0.6)
    dark = Paint(darker(color, 0.45) if sum(color) > 330 else lighter(color, 0.3), material="glass", texture="grid")
    light = Paint((255, 224, 136), material="glass", texture="grid")
    for row in range(rows):
        for column in range(columns):
            left, low = -half + step * (column + 0.2), storey * (row + 0.5)
            pen.box(left, low, left + step * 0.6, low + storey * 0.6, light if dice.chance(lit) else dark, "window")


def lighthouse(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A banded lighthouse."""
    pen = canvas.thing("lighthouse", spot)
    color = shade(dice, "red", "red", "blue", "black")
    tower = Paint((247, 244, 236), material="plaster", texture="banded", ink=color, step=spot.size * 0.3)
    pen.polygon([(-0.17, 0), (-0.1, 0.74), (0.1, 0.74), (0.17, 0)], tower)
    pen.box(-0.14, 0.73, 0.14, 0.77, metal((60, 62, 70)), "lantern")
    pen.box(-0.075, 0.77, 0.075, 0.89, Paint((255, 232, 150), material="glass"), "lantern")
    pen.polygon([(-0.11, 0.88), (0, 1.0), (0.11, 0.88)], metal(color), "lantern")
    pen.box(-0.05, 0, 0.05, 0.13, Paint((70, 52, 44), material="wood"), "door")
