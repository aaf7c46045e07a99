"""Draws a scene from two numbers: seed and index."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from . import beings, equipment, furniture, indoors, outdoors, plants, vehicles
from .canvas import LABELS, PHOTO, PLANE_SIDE, Canvas, Spot
from .dice import Dice
from .palette import COLORS, name_colors
from .words import CATEGORIES, SCENE_CLASSES, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Int32

    from .sky import Light
    from .stage import Thing

_PAINTERS: Mapping[str, Callable[[Canvas, Dice], Light]] = {
    painter.__name__: painter
    for painter in (
        outdoors.beach,
        indoors.bedroom,
        outdoors.city,
        outdoors.desert,
        outdoors.farm,
        outdoors.forest,
        outdoors.harbour,
        indoors.kitchen,
        indoors.library,
        outdoors.mountain,
        outdoors.park,
        outdoors.street,
    )
}

THINGS: Mapping[str, Thing] = MappingProxyType(
    {
        "ball": equipment.ball,
        "bicycle": vehicles.bicycle,
        "boat": vehicles.motor_boat,
        "chair": furniture.chair,
        "cow": beings.cow,
        "dog": beings.dog,
        "flower": plants.flower,
        "mushroom": plants.mushroom,
        "person": beings.person,
        "umbrella": equipment.umbrella,
    }
)
"""Things that can be put into the foreground of any scene."""


@dataclass(frozen=True, slots=True)
class ThingBox:
    """The visible extent of one thing, in pixels of the label maps, right and bottom excluded."""

    name: str
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A generated scene.

    Attributes:
        name: its class, one of ``SCENE_CLASSES``.
        photograph: 224x224 pixels, RGB.
        labels: label maps by category (all but ``scene``), 112x112; 0 means "none".
        boxes: the visible things, in the order in which they were drawn.
        instances: the number of each pixel's thing, 112x112: they count from 1 as they were drawn; 0 means "none".
    """

    name: str
    photograph: Image.Image
    labels: Mapping[str, Int32[np.ndarray, "h w"]]
    boxes: tuple[ThingBox, ...]
    instances: Int32[np.ndarray, "h w"]

    @property
    def number(self) -> int:
        """The label number of its class."""
        return number("scene", f"{self.name}-s")


def scene_class(index: int) -> str:
    """The class of scene ``index``: the classes alternate, so any twelve in a row include each once."""
    return SCENE_CLASSES[index % len(SCENE_CLASSES)]


def draw_scene(seed: int, index: int, *, extra: str = "") -> Scene:
    """Scene ``index`` of a seed's set; it depends on nothing else.

    Args:
        seed: chooses the set.
        index: chooses the scene, and so its class (see ``scene_class``).
        extra: one of ``THINGS`` to put into the foreground; the scene behind it stays the same.

    Raises:
        KeyError: if ``extra`` is not one of ``THINGS``.
    """
    name, canvas, dice = scene_class(index), Canvas(), Dice(seed, index)
    light = paint_place(name, canvas, dice)
    if extra:
        extra_dice = Dice(seed, index, 1)
        THINGS[extra](
            canvas, extra_dice, Spot(extra_dice.between(15, 85), extra_dice.between(88, 96), extra_dice.between(24, 30))
        )
    return develop(name, canvas, light)


def paint_place(name: str, canvas: Canvas, dice: Dice) -> Light:
    """Paint a scene of a class, without what the canvas leaves out; the light is for :func:`develop`."""
    return _PAINTERS[name](canvas, dice)


def develop(name: str, canvas: Canvas, light: Light) -> Scene:
    """The scene that is painted on a canvas, in its light."""
    photo = canvas.photo.point([round(value * share) for share in light.tint for value in range(256)])
    labels, instances = _labels(canvas, photo)
    photograph = photo.resize((PHOTO, PHOTO), Image.Resampling.BOX)
    return Scene(name, photograph, MappingProxyType(labels), _boxes(instances, canvas.things), instances)


def _labels(canvas: Canvas, photo: Image.Image) -> tuple[dict[str, Int32[np.ndarray, "h w"]], Int32[np.ndarray, "h w"]]:
    """Label maps by category, and the number of each pixel's thing."""
    tags, meanings = canvas.tags()
    table = np.array(
        [(tag.object, tag.part, tag.material, tag.texture, tag.instance) for tag in meanings], dtype=np.int32
    )
    *maps, instances = table.T[:, tags]
    stride = PLANE_SIDE // LABELS
    pixels = np.asarray(photo)[stride // 2 :: stride, stride // 2 :: stride]
    colors = name_colors(pixels) + number("color", f"{COLORS[0]}-c")
    labels = dict(zip(CATEGORIES[1:], [*maps, colors], strict=True))
    return labels, instances


def _boxes(instances: Int32[np.ndarray, "h w"], things: list[str]) -> tuple[ThingBox, ...]:
    extents = zip(things, ndimage.find_objects(instances, len(things)), strict=True)
    return tuple(
        ThingBox(name, extent[1].start, extent[0].start, extent[1].stop, extent[0].stop)
        for name, extent in extents
        if extent
    )
