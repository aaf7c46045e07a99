"""Draws a place with one thing in it, or two, which differ in name and in colour."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from dissection.scenes import equipment, furniture, plants, vehicles
from dissection.scenes.canvas import Canvas, Spot
from dissection.scenes.dice import Dice
from dissection.scenes.scene import develop, paint_place, scene_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from jaxtyping import Bool

    from dissection.scenes.scene import Scene

    Coloured = Callable[[Canvas, Dice, Spot, Sequence[str]], None]

THINGS: Mapping[str, Coloured] = MappingProxyType(
    {
        "bench": equipment.bench,
        "boat": vehicles.motor_boat,
        "bus": vehicles.bus,
        "car": vehicles.car,
        "chair": furniture.chair,
        "flower": plants.flower,
        "tractor": vehicles.tractor,
        "umbrella": equipment.umbrella,
    }
)
"""Things that are mostly of one colour."""

THING_COLORS = ("black", "blue", "green", "purple", "red", "white", "yellow")
"""Their colours."""

Side: TypeAlias = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
_MIDDLES: Mapping[Side, tuple[float, float]] = {"left": (16, 32), "right": (68, 84)}
"""Where the middles of things can be, in hundredths of the frame: far enough apart not to touch."""

_ALONE = 0.3
"""The probability of one thing alone, on either side."""


@dataclass(frozen=True, slots=True, eq=False)
class DescribedThing:
    """A thing that stands in front.

    Attributes:
        name: one of ``THINGS``.
        color: one of ``THING_COLORS``.
        side: where it stands.
        mask: its visible pixels, 112x112.
    """

    name: str
    color: str
    side: Side
    mask: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, eq=False)
class DescribedScene:
    """A place with one thing in it, or two.

    Attributes:
        scene: the whole scene; its name is the place.
        things: the things in front, from left to right.
    """

    scene: Scene
    things: tuple[DescribedThing, ...]

    @property
    def place(self) -> str:
        """One of ``SCENE_CLASSES``."""
        return self.scene.name


def draw_described(seed: int, index: int) -> DescribedScene:
    """Described scene ``index`` of a seed's set; it depends on nothing else. The places alternate."""
    place, canvas, choices = scene_class(index), Canvas(frozenset(THINGS)), Dice(seed, index, 2)
    light = paint_place(place, canvas, Dice(seed, index))
    cast = draw_cast(choices)
    canvas.absent = frozenset()
    for name, color, side in cast:
        spot = Spot(
            choices.between(*_MIDDLES[side]), choices.between(86, 97), choices.between(26, 34), choices.pick((-1, 1))
        )
        THINGS[name](canvas, choices, spot, (color,))
    scene = develop(place, canvas, light)
    first = len(canvas.things) - len(cast) + 1
    things = (
        DescribedThing(name, color, side, scene.instances == number)
        for number, (name, color, side) in enumerate(cast, first)
    )
    return DescribedScene(scene, tuple(things))


def draw_cast(choices: Dice) -> list[tuple[str, str, Side]]:
    """Which things stand in front, from left to right: name, colour and side of each."""
    sides = (choices.pick(SIDES),) if choices.chance(_ALONE) else SIDES
    names, colors = choices.sample(tuple(THINGS), len(sides)), choices.sample(THING_COLORS, len(sides))
    return list(zip(names, colors, sides, strict=True))
