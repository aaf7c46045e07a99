"""Draws a place with two things in it, which differ in name and in colour."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

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

_LEFT, _RIGHT = (16, 32), (68, 84)
"""Where the middles of the two things can be, in hundredths of the frame: far enough apart not to touch."""


@dataclass(frozen=True, slots=True, eq=False)
class DescribedThing:
    """One of the two things.

    Attributes:
        name: one of ``THINGS``.
        color: one of ``THING_COLORS``.
        mask: its visible pixels, 112x112.
    """

    name: str
    color: str
    mask: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, eq=False)
class DescribedScene:
    """A place with two things in it.

    Attributes:
        scene: the whole scene; its name is the place.
        things: the left one and the right one.
    """

    scene: Scene
    things: tuple[DescribedThing, DescribedThing]

    @property
    def place(self) -> str:
        """One of ``SCENE_CLASSES``."""
        return self.scene.name


def draw_described(seed: int, index: int) -> DescribedScene:
    """Described scene ``index`` of a seed's set; it depends on nothing else. The places alternate."""
    place, canvas, choices = scene_class(index), Canvas(frozenset(THINGS)), Dice(seed, index, 2)
    light = paint_place(place, canvas, Dice(seed, index))
    names, colors = choices.sample(tuple(THINGS), 2), choices.sample(THING_COLORS, 2)
    canvas.absent = frozenset()
    for name, color, (left, right) in zip(names, colors, (_LEFT, _RIGHT), strict=True):
        spot = Spot(
            choices.between(left, right), choices.between(86, 97), choices.between(26, 34), choices.pick((-1, 1))
        )
        THINGS[name](canvas, choices, spot, (color,))
    scene = develop(place, canvas, light)
    last = len(canvas.things)
    left, right = (
        DescribedThing(name, color, scene.instances == number)
        for name, color, number in zip(names, colors, (last - 1, last), strict=True)
    )
    return DescribedScene(scene, (left, right))
