"""Pictures of two generated scenes, a half of each: ground truth for whatever needs two classes in one image.

The left half of a picture is the middle of one scene and the right half the middle of another, so that nothing is
squashed. Where a half is evidence for its scene, :mod:`.scene_things` says.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.scenes.canvas import LABELS, PHOTO
from dissection.scenes.scene import draw_scene
from dissection.scenes.words import SCENE_CLASSES

from .matching import match
from .scene_things import TYPICAL, typical_mask
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.scenes.scene import Scene

    from .truth import Objects

_HALVES = 2


class ScenePairs:
    """Pairs of scenes of a seed, each drawn on request; both scenes of a pair are classes of the network.

    Args:
        classes: the network's labels.
        images: number of pictures.
        seed: chooses the scenes.

    Raises:
        ConceptDataError: if none of these scenes is a class of the network.
    """

    def __init__(self, classes: Sequence[str], *, images: int, seed: int = 0) -> None:
        self._images, self._seed = images, seed
        self.name = f"{images} pairs of generated scenes"
        self.objects: Objects = match(TYPICAL, classes)

    def __len__(self) -> int:
        return self._images

    def annotated(self, index: int) -> AnnotatedImage:
        """A picture of two scenes, and the things that are typical of each in its half."""
        scenes = self._scenes(index)
        photograph = Image.new("RGB", (PHOTO, PHOTO))
        places: dict[str, ObjectLocation] = {}
        for half, scene in enumerate(scenes):
            left = PHOTO // _HALVES // 2
            photograph.paste(
                scene.photograph.crop((left, 0, left + PHOTO // _HALVES, PHOTO)), (half * PHOTO // _HALVES, 0)
            )
            if scene.name in self.objects and (place := _place(scene, half)):
                places[scene.name] = place
        categories = frozenset(scene.name for scene in scenes)
        return AnnotatedImage(f"pair {index}", photograph, places, categories=categories)

    def identity(self) -> str:
        """What the pictures depend on; the first one's pixels stand for the way of drawing."""
        first = hashlib.sha256(self.annotated(0).photograph.tobytes()).hexdigest()
        return f"{self._seed} {self._images} {first} {self.objects} {dict(TYPICAL)}"

    def _scenes(self, index: int) -> tuple[Scene, ...]:
        """Two scenes of different classes: for every class another turn, and in each turn another neighbour."""
        classes = len(SCENE_CLASSES)
        first = index % classes
        second = (first + 1 + index // classes % (classes - 1)) % classes
        return tuple(
            draw_scene(self._seed, number + classes * (_HALVES * index + half))
            for half, number in enumerate((first, second))
        )


def _place(scene: Scene, half: int) -> ObjectLocation | None:
    """Where the typical things of a half are in the picture; its only box is around all of them."""
    width = LABELS // _HALVES
    mask = np.zeros((LABELS, LABELS), bool)
    mask[:, half * width : (half + 1) * width] = typical_mask(scene)[:, width // 2 : width // 2 + width]
    if not mask.any():
        return None
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float64)
    return ObjectLocation(box / LABELS, mask)
