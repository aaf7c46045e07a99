"""Described scenes as ground truth: two coloured things in a place, whose caption, questions and masks are known.

The words for a thing and for its colour both mean the thing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from dissection.scenes.described.language import QUESTION_DICE, WORD_KINDS, caption, questions
from dissection.scenes.described.scene import THING_COLORS, THINGS, draw_described
from dissection.scenes.dice import Dice
from neuronexplain.evaluation.ground_truth.labelled_objects import region_boxes
from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, ObjectLocation, Question

from .word_table import WordTable

if TYPE_CHECKING:
    from dissection.scenes.described.scene import DescribedThing
    from neuronexplain.evaluation.ground_truth.truth import Objects


class DescribedScenes:
    """Described scenes of a seed, each drawn on request.

    Args:
        images: number of scenes.
        seed: chooses the set of scenes.

    Attributes:
        words: what their words mean, and of which kinds they are.
    """

    words = WordTable({(name,): name for name in (*THINGS, *THING_COLORS)}, WORD_KINDS)

    def __init__(self, *, images: int, seed: int = 0) -> None:
        self._images, self._seed = images, seed
        self.name = f"{images} described scenes"
        self.objects: Objects = dict.fromkeys((*THINGS, *THING_COLORS), ())

    def __len__(self) -> int:
        return self._images

    def annotated(self, index: int) -> AnnotatedImage:
        """A scene, what is said of it and asked about it, and where its things are."""
        described = draw_described(self._seed, index)
        locations = [_location(thing) for thing in described.things]
        places = {
            name: location
            for thing, location in zip(described.things, locations, strict=True)
            if location is not None
            for name in (thing.name, thing.color)
        }
        asked = [
            Question(
                question.text,
                question.answer,
                question.kind,
                None if question.about is None else described.things[question.about].name,
            )
            for question in questions(described, Dice(self._seed, index, QUESTION_DICE))
        ]
        return AnnotatedImage(
            f"described scene {index}",
            described.scene.photograph,
            places,
            categories=frozenset(thing.name for thing in described.things),
            captions=(caption(described),),
            questions=tuple(asked),
            setting=described.place,
        )

    def identity(self) -> str:
        """What the scenes depend on; the first scene stands for the way of drawing, and of saying what is in it."""
        first = self.annotated(0)
        pixels = hashlib.sha256(first.photograph.tobytes()).hexdigest()
        said = (first.captions, [(question.text, question.answer) for question in first.questions])
        return f"{self._seed} {self._images} {pixels} {said}"


def _location(thing: DescribedThing) -> ObjectLocation | None:
    """Where a thing is; all of it is one instance, also where something in front of it parts it."""
    if not thing.mask.any():
        return None
    boxes = region_boxes(thing.mask)
    left, top = boxes[:, :2].min(0)
    right, bottom = boxes[:, 2:].max(0)
    return ObjectLocation(np.array([[left, top, right, bottom]]), thing.mask)
