"""The generated scenes as ground truth: a scene's class should be recognised by the scene's typical things.

The network's classes are scenes, so no box in the picture is a "harbour". But boats, cranes, containers and a quay make
a harbour, and the scenes know each of their pixels and boxes: a scene's mask is the union of theirs, and its only box
is around all of them. A network may rely on something else: a road is as good a sign of a city as towers.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from dissection.scenes.canvas import LABELS
from dissection.scenes.scene import draw_scene
from dissection.scenes.words import CONCEPTS

from .matching import match
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Bool

    from dissection.scenes.scene import Scene

    from .truth import Objects

TYPICAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "beach": ("umbrella", "towel", "palm", "ball"),
        "bedroom": ("bed", "wardrobe", "nightstand"),
        "city": ("skyscraper",),
        "desert": ("cactus", "camel"),
        "farm": ("barn", "cow", "tractor", "hay bale", "fence"),
        "forest": ("fir", "mushroom", "deer"),
        "harbour": ("boat", "container", "crane", "lighthouse", "quay"),
        "kitchen": ("counter", "cupboard", "fridge", "stove", "pot"),
        "library": ("bookcase", "ladder"),
        "mountain": ("mountain", "cabin"),
        "park": ("bench", "pond", "duck"),
        "street": ("car", "bus", "house"),
    }
)
"""Typical things by scene; grounds, skies and things of many scenes are no evidence for one of them."""

_NUMBERS = {concept.name: concept.number for concept in CONCEPTS if concept.category == "object"}


class SceneThings:
    """Scenes of a seed, each drawn on request.

    Args:
        classes: the network's labels.
        images: number of scenes.
        seed: chooses the set of scenes.

    Raises:
        ConceptDataError: if none of these scenes is a class of the network.
    """

    def __init__(self, classes: Sequence[str], *, images: int, seed: int = 0) -> None:
        self._images, self._seed = images, seed
        self.name = f"{images} generated scenes"
        self.objects: Objects = match(TYPICAL, classes)

    def __len__(self) -> int:
        return self._images

    def annotated(self, index: int) -> AnnotatedImage:
        """A scene and the things typical of its class."""
        scene = draw_scene(self._seed, index)
        place = _place(scene) if scene.name in self.objects else None
        places = {scene.name: place} if place else {}
        return AnnotatedImage(f"scene {index}", scene.photograph, places, categories=frozenset([scene.name]))

    def identity(self) -> str:
        """What the scenes depend on; the first scene's pixels stand for the way of drawing."""
        first = hashlib.sha256(draw_scene(self._seed, 0).photograph.tobytes()).hexdigest()
        return f"{self._seed} {self._images} {first} {self.objects} {dict(TYPICAL)}"


def typical_mask(scene: Scene) -> Bool[np.ndarray, "h w"]:
    """The pixels of a scene's typical things."""
    mask: Bool[np.ndarray, "h w"] = np.isin(scene.labels["object"], [_NUMBERS[thing] for thing in TYPICAL[scene.name]])
    return mask


def _place(scene: Scene) -> ObjectLocation | None:
    things = TYPICAL[scene.name]
    boxes = np.array([(b.left, b.top, b.right, b.bottom) for b in scene.boxes if b.name in things], np.float64)
    mask = typical_mask(scene)
    if not len(boxes) or not mask.any():
        return None
    joint = np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)])
    return ObjectLocation(joint[None] / LABELS, mask)
