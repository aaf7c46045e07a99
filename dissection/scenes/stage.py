"""Placing things: a cast of things is spread over the ground, far ones first and smaller."""

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
    """Some things of one kind.

    Attributes:
        thing: what draws one.
        count: how many of them, each entry as likely as the others.
        size: least and greatest size, in hundredths of the frame, at the nearest depth.
        depth: where their feet stand, far and near, in hundredths of the frame from its top.
        shrink: size at the far depth, as a share of that at the near one.
    """

    thing: Thing
    count: tuple[int, ...]
    size: tuple[float, float]
    depth: tuple[float, float]
    shrink: float = 0.65


def perform(canvas: Canvas, dice: Dice, casts: Sequence[Cast], around: Sequence[Spot] = ()) -> None:
    """Place all casts, away from each other and from what is already there, and draw the farthest first."""
    placed: list[tuple[Spot, Thing]] = []
    for cast in casts:
        for _ in range(dice.pick(cast.count)):
            placed.append((_free_spot(dice, cast, [*around, *(spot for spot, _ in placed)]), cast.thing))
    for spot, thing in sorted(placed, key=lambda entry: entry[0].y):
        thing(canvas, dice, spot)


def _free_spot(dice: Dice, cast: Cast, taken: Sequence[Spot]) -> Spot:
    """The freest of a few random spots."""
    return max((_spot(dice, cast) for _ in range(6)), key=lambda spot: min((_gap(spot, o) for o in taken), default=0.0))


def _spot(dice: Dice, cast: Cast) -> Spot:
    near = dice.between(0, 1)
    y = cast.depth[0] + (cast.depth[1] - cast.depth[0]) * near
    size = dice.between(*cast.size) * (cast.shrink + (1 - cast.shrink) * near)
    return Spot(dice.between(8, 92), y, size, dice.pick((-1, 1)))


def _gap(one: Spot, other: Spot) -> float:
    """Distance between two feet, in their sizes; depth counts double."""
    return (abs(one.x - other.x) + 2 * abs(one.y - other.y)) / (one.size + other.size)
