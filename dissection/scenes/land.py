"""Land and water: stuff without a fixed outline, behind and under the things."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .canvas import Spot
from .paint import Paint, boards
from .palette import RGB, darker, lighter, mix, rgb, shade

if TYPE_CHECKING:
    from .canvas import Canvas, Point
    from .dice import Dice
    from .sky import Light


def ridge(dice: Dice, base: float, height: float, steps: int) -> list[Point]:
    """A hilly skyline across the frame, down to its lower edge."""
    points = [(100 * i / steps, base - height * dice.between(0, 1)) for i in range(steps + 1)]
    smooth = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(points)]
    line = sorted([points[0], *smooth, *[(x, (y + base - height / 2) / 2) for x, y in points[1:-1]], points[-1]])
    return [(-1, 101), (-1, line[0][1]), *line, (101, line[-1][1]), (101, 101)]


def hills(canvas: Canvas, dice: Dice, light: Light, base: float) -> None:
    """One or two ranges of distant hills, paler with distance."""
    color = shade(dice, "green", "green", "blue", "purple")
    for index in range(dice.count(1, 2)):
        far = mix(color, light.horizon, 0.6 - 0.25 * index)
        outline = ridge(dice, base - 4 + 4 * index, dice.between(6, 12), dice.count(4, 7))
        canvas.stuff("hill").polygon(outline, Paint(far, lighter(far, 0.15), "foliage"))


def mountains(canvas: Canvas, dice: Dice, light: Light, base: float) -> None:
    """Peaks of bare rock with snow on top, distant ones first."""
    rock = dice.pick((rgb("77808c"), rgb("7d7480"), rgb("8a7a6c"), rgb("66788c")))
    for index in range(count := dice.count(2, 4)):
        x = 100 * (index + dice.between(0.2, 0.8)) / count
        height, half = dice.between(26, 46), dice.between(26, 36)
        _peak(canvas, dice, Spot(x, base + 1, height), half / height, mix(rock, light.horizon, dice.between(0.05, 0.4)))


def _peak(canvas: Canvas, dice: Dice, spot: Spot, half: float, rock: RGB) -> None:
    pen = canvas.thing("mountain", spot)
    tip, foot = dice.between(-0.06, 0.06), dice.between(0.0, 0.15)
    left, right = (tip - half * 0.45, 0.55), (tip + half * 0.5, 0.5)
    pen.polygon([(-half, 0), left, (tip, 1), right, (half, 0)], Paint(rock, darker(rock, 0.1), "stone"))
    shaded = darker(rock, 0.22)
    pen.polygon([(foot, 0), (tip + 0.05, 0.5), (tip, 1), right, (half, 0)], Paint(shaded, rock, "stone"))
    snow, line = Paint((246, 249, 252), material="snow"), dice.between(0.62, 0.74)
    reach = half * (1 - line) * 1.02
    ragged = [(tip + reach * side, line + 0.08 * (index % 2)) for index, side in enumerate((0.5, 0.1, -0.3, -0.6))]
    pen.polygon([(tip, 1), (tip + reach, line), *ragged, (tip - reach * 0.95, line)], snow, "snowcap")


def sea(canvas: Canvas, dice: Dice, light: Light, top: float, bottom: float) -> None:
    """Water up to the horizon."""
    color = mix(dice.pick((rgb("3f8fa0"), rgb("2f78a8"), rgb("4fa3a5"), rgb("3a6f96"))), light.top, 0.2)
    paint = Paint(mix(color, light.horizon, 0.35), darker(color, 0.1), "water", "wavy", lighter(color, 0.3), 5)
    canvas.stuff("sea").box(0, top, 100, bottom, paint)


def pond(canvas: Canvas, dice: Dice, spot: Spot) -> None:
    """A pond with a light rim."""
    pen = canvas.thing("pond", spot)
    color = dice.pick((rgb("5d9fc0"), rgb("4f8fae"), rgb("6aa9b0")))
    pen.oval(-0.53, -0.01, 0.53, 0.3, Paint(rgb("b9a77d"), material="soil"))
    paint = Paint(lighter(color, 0.25), color, "water", "wavy", lighter(color, 0.4), 4)
    pen.oval(-0.5, 0, 0.5, 0.28, paint)


def sand(canvas: Canvas, dice: Dice, outline: list[Point], texture: str = "flecked") -> None:
    """Dry sand."""
    color = dice.pick((rgb("e9d7a5"), rgb("e3c48b"), rgb("ecdcb8"), rgb("dfb77f"), rgb("d9b380")))
    ink = darker(color, 0.22 if texture == "flecked" else 0.1)
    canvas.stuff("sand").polygon(outline, Paint(lighter(color, 0.1), darker(color, 0.06), "sand", texture, ink, 3.2))


def grass(canvas: Canvas, dice: Dice, outline: list[Point]) -> None:
    """A meadow."""
    color = dice.pick((rgb("7db35e"), rgb("6aa351"), rgb("93b862"), rgb("5f9e52"), rgb("a3b565")))
    ink = darker(color, 0.25)
    canvas.stuff("grass").polygon(
        outline, Paint(lighter(color, 0.15), darker(color, 0.1), "foliage", "flecked", ink, 2.6)
    )


def field(canvas: Canvas, dice: Dice, outline: list[Point]) -> None:
    """A ploughed or ripening field: rows that run to the horizon."""
    color = dice.pick((rgb("d8b860"), rgb("a67c52"), rgb("c9b458"), rgb("8a9a4a")))
    canvas.stuff("field").polygon(outline, Paint(color, darker(color, 0.1), "soil", "striped"))
    top, meeting = min(y for _, y in outline), dice.between(20, 80)
    furrow = Paint(darker(color, 0.2), material="soil", texture="striped")
    lowest = max(y for _, y in outline)
    for index in range(-9, 10):
        near = meeting + index * 14
        far = meeting + index * 4
        canvas.stuff("field").polygon(
            [(far, top + 2), (far + 1.2, top + 2), (near + 5, lowest), (near, lowest)], furrow
        )


def forest_floor(canvas: Canvas, dice: Dice, top: float) -> None:
    """Moss and soil under trees."""
    color = dice.pick((rgb("6d7f45"), rgb("7a6a45"), rgb("5f7f4a"), rgb("86703f")))
    outline = ridge(dice, top, 4, 5)
    paint = Paint(lighter(color, 0.15), darker(color, 0.2), "soil", "flecked", darker(color, 0.35), 2.8)
    canvas.stuff("grass").polygon(outline, paint)


def path(canvas: Canvas, dice: Dice, top: float) -> None:
    """A winding path from the lower edge towards the horizon."""
    color = dice.pick((rgb("d9c49a"), rgb("c2ab88"), rgb("cfc8b8")))
    start, end = dice.between(20, 80), dice.between(35, 65)
    bend = dice.between(-18, 18)
    left, right = [], []
    for step in range(9):
        t = step / 8
        x = start + (end - start) * t + bend * 4 * t * (1 - t)
        half = 13 * (1 - t) ** 1.6 + 1.0
        y = 101 + (top - 101) * t
        left.append((x - half, y))
        right.append((x + half, y))
    canvas.stuff("path").polygon([*left, *reversed(right)], Paint(lighter(color), color, "soil"))


def road(canvas: Canvas, dice: Dice, top: float, bottom: float) -> None:
    """A road across the frame, with its middle line."""
    color = dice.pick((rgb("5c6066"), rgb("6e7378"), rgb("64605f")))
    pen, middle = canvas.stuff("road"), (top + bottom) / 2
    pen.box(0, top, 100, bottom, Paint(color, darker(color, 0.15), "asphalt"))
    offset = dice.between(0, 16)
    for x in range(-1, 7):
        left = x * 16 + offset
        pen.polygon(
            [(left, middle), (left + 8, middle), (left + 7.4, middle + 1.4), (left - 0.8, middle + 1.4)],
            Paint((236, 232, 218), material="asphalt"),
        )


def sidewalk(canvas: Canvas, dice: Dice, top: float, bottom: float) -> None:
    """Paving slabs beside a road."""
    color = shade(dice, "grey")
    paint = Paint(lighter(color), color, "stone", "grid", darker(color, 0.18), 5)
    canvas.stuff("sidewalk").box(0, top, 100, bottom, paint)
    canvas.stuff("sidewalk").box(0, bottom - 1, 100, bottom, Paint(lighter(color, 0.35), material="stone"))


def quay(canvas: Canvas, dice: Dice, top: float) -> None:
    """A harbour wall of stone or boards, with its edge."""
    pen = canvas.stuff("quay")
    if dice.chance(0.35):
        pen.box(0, top, 100, 100, boards(dice, shade(dice, "brown"), 4))
    else:
        color = dice.pick((rgb("b3a89a"), rgb("9aa0a4"), rgb("c0b08f")))
        pen.box(0, top, 100, 100, Paint(color, darker(color, 0.12), "stone", "brickwork", darker(color, 0.25), 9))
    pen.box(0, top, 100, top + 2.2, Paint((222, 214, 198), material="stone"))


def dunes(canvas: Canvas, dice: Dice, top: float) -> None:
    """Two or three waves of rippled sand."""
    for index in range(count := dice.count(2, 3)):
        sand(canvas, dice, ridge(dice, top + 4 + index * 34 / count, 9, dice.count(3, 4)), "wavy")
