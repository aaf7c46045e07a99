"""Scenes of a thing in a place that can give the thing away: a spurious cue that can be switched on.

If cows are nearly always on mountains and dogs mostly on beaches, a network can learn the place instead of the animal.
If each is in either place half of the time, the place says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from .scene import THINGS, Scene, draw_scene
from .words import SCENE_CLASSES


@dataclass(frozen=True, slots=True)
class Staging:
    """Two things, in two places.

    Scene ``index`` shows thing ``index % 2``. Its places are spread evenly over its scenes.

    Attributes:
        things: two of ``THINGS``; the classes.
        places: two of ``SCENE_CLASSES``.
        percent: the percentage of each thing's scenes in the first place; with 50 and 50 there is no cue.

    Raises:
        ValueError: if there is no such thing or place, or a share is not from 0 to 100.
    """

    things: tuple[str, str] = ("cow", "dog")
    places: tuple[str, str] = ("mountain", "beach")
    percent: tuple[int, int] = (50, 50)

    def __post_init__(self) -> None:
        unknown = [name for name in self.things if name not in THINGS]
        unknown += [name for name in self.places if name not in SCENE_CLASSES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} cannot be staged; things are {', '.join(THINGS)}")
        if not all(0 <= share <= 100 for share in self.percent):
            raise ValueError(f"shares of {self.percent} percent were asked for; from 0 to 100 are possible")

    def thing(self, index: int) -> str:
        """The thing that scene ``index`` shows."""
        return self.things[index % 2]

    def place(self, index: int) -> str:
        """The place of scene ``index``."""
        turn, share = index // 2, self.percent[index % 2]
        is_first = (turn + 1) * share // 100 > turn * share // 100
        return self.places[0] if is_first else self.places[1]

    def draw(self, seed: int, index: int) -> Scene:
        """Scene ``index`` of a seed; its ``name`` is the place."""
        place = SCENE_CLASSES.index(self.place(index))
        return draw_scene(seed, place + len(SCENE_CLASSES) * index, extra=self.thing(index))
