"""Places things: a cast of things is spread over the ground; distant ones are smaller and drawn first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .canvas import Canvas, Spot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .dice import Dice

Thing: TypeAlias = Callable[[Canvas, "Dice", Spot], None]


@dataclass(frozen=True, slots=True)
class Cast:
    """Several things of one kind.

    Attributes:
        thing: the function that draws one.
        count: possible numbers of them, each entry equally likely.
        size: smallest and largest size, in hundredths of the frame, at the nearest depth.
        depth: where their feet stand, farthest and nearest, in hundredths of the frame from its top.
        shrink: size at the farthest depth, as a share of that at the nearest one.
    """

    thing: Thing
    count: tuple[int, ...]
    size: tuple[float, float]
    depth: tuple[float, float]
    shrink: float = 0.65


def perform(canvas: Canvas, dice: Dice, casts: Sequence[Cast], around: Sequence[Spot] = ()) -> None:
    """Place all casts, away from each other and from the spots ``around``, and draw the farthest first."""
    placed: list[tuple[Spot, Thing]] = []
    for cast in casts:
        for _ in range(dice.pick(cast.count)):
            placed.append((_free_spot(dice, cast, [*around, *(spot for spot, _ in placed)]), cast.thing))
    for spot, thing in sorted(placed, key=lambda entry: entry[0].y):
        thing(canvas, dice, spot)


def _free_spot(dice: Dice, cast: Cast, taken: Sequence[Spot]) -> Spot:
    """The freest of a few random spots."""
    candidates = (_spot(dice, cast) for _ in range(6))
    return max(candidates, key=lambda spot: min((_gap(spot, neighbour) for neighbour in taken), default=0.0))


def _spot(dice: Dice, cast: Cast) -> Spot:
    near = dice.between(0, 1)
    y = cast.depth[0] + (cast.depth[1] - cast.depth[0]) * near
    size = dice.between(*cast.size) * (cast.shrink + (1 - cast.shrink) * near)
    return Spot(dice.between(8, 92), y, size, dice.pick((-1, 1)))


def _gap(first: Spot, second: Spot) -> float:
    """Distance between two feet, relative to their sizes; depth counts double."""
    return (abs(first.x - second.x) + 2 * abs(first.y - second.y)) / (first.size + second.size)
