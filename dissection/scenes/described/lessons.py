"""What the networks of described scenes learn from: pictures, where things are in them, captions, and questions."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dissection.scenes.canvas import LABELS
from dissection.scenes.dice import Dice
from dissection.scenes.training import pixels, stacked
from dissection.scenes.words import SCENE_CLASSES

from .language import ANSWERS, QUESTION_DICE, caption, questions
from .networks import END, WORDS, encode
from .scene import SIDES, THING_COLORS, THINGS, draw_described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Int64, UInt8

    from .scene import DescribedScene

UNKNOWN = -1
"""In place of a target that nothing is known of, and behind the end of a caption."""

_CELLS = 14
"""Cells along a side of the last map."""

_ABSENT = len(THING_COLORS)
TARGETS = (*[_ABSENT + 1] * len(THINGS), *[len(SIDES)] * len(THINGS), len(SCENE_CLASSES))
"""Sizes of what is learnt of a picture: the colour of each thing or that it is absent, the side of each, the place."""


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Scenes to learn from.

    Attributes:
        images: their photographs, at the networks' input size.
        targets: for each what ``TARGETS`` lists; the side of what is absent is unknown.
        cells: the share of each cell, in 64ths, that shows each concept, and then each colour of things.
        captions: the tokens of each caption, which ends in a full stop; padded with -1.
        questions: for each question its scene, the tokens, and the number of the answer.
    """

    images: UInt8[Tensor, "scenes 3 112 112"]
    targets: Int64[Tensor, "scenes targets"]
    cells: UInt8[Tensor, "scenes 14 14 concepts"]
    captions: Int64[Tensor, "scenes tokens"]
    questions: tuple[Int64[Tensor, " questions"], Int64[Tensor, "questions words"], Int64[Tensor, " questions"]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One scene as :class:`Lessons` need it, small enough to be sent between processes."""

    pixels: np.ndarray
    targets: tuple[int, ...]
    cells: np.ndarray
    caption: str
    questions: tuple[tuple[str, str], ...]


def drawn(seed: int, concepts: Sequence[int], index: int) -> Drawn:
    """Scene ``index`` of a seed."""
    described = draw_described(seed, index)
    colors = {thing.name: THING_COLORS.index(thing.color) for thing in described.things}
    sides = {thing.name: SIDES.index(thing.side) for thing in described.things}
    return Drawn(
        pixels(described.scene.photograph),
        (
            *(colors.get(name, _ABSENT) for name in THINGS),
            *(sides.get(name, UNKNOWN) for name in THINGS),
            SCENE_CLASSES.index(described.place),
        ),
        _cells(described, concepts),
        caption(described),
        tuple((question.text, question.answer) for question in questions(described, Dice(seed, index, QUESTION_DICE))),
    )


def _cells(described: DescribedScene, concepts: Sequence[int]) -> UInt8[np.ndarray, "14 14 concepts"]:
    """How many pixels of each cell show each concept, given by its label number, and each colour of things."""
    maps = list(described.scene.labels.values())
    shown = [np.any([labels == concept for labels in maps], 0) for concept in concepts]
    for color in THING_COLORS:
        masks = [thing.mask for thing in described.things if thing.color == color]
        shown.append(np.any([np.zeros((LABELS, LABELS), bool), *masks], 0))
    side = LABELS // _CELLS
    counts: UInt8[np.ndarray, "concepts 14 14"]
    counts = np.stack(shown).reshape(-1, _CELLS, side, _CELLS, side).sum((2, 4), dtype=np.uint8)
    return counts.transpose(1, 2, 0)


def draw_lessons(seed: int, concepts: Sequence[int], *, scenes: int, workers: int = 2) -> Lessons:
    """Scenes of a seed, drawn by several processes.

    Args:
        seed: chooses the set.
        concepts: label numbers of the concepts whose places are told.
        scenes: how many.
        workers: how many processes draw.
    """
    with ProcessPoolExecutor(workers) as pool:
        return lessons(list(pool.map(partial(drawn, seed, concepts), range(scenes), chunksize=50)))


def lessons(scenes: Sequence[Drawn]) -> Lessons:
    """Drawn scenes, stacked."""
    said = [[WORDS.index(word) for word in [*scene.caption.split(), END]] for scene in scenes]
    longest = max(map(len, said))
    asked = [(index, text, answer) for index, scene in enumerate(scenes) for text, answer in scene.questions]
    return Lessons(
        stacked(scene.pixels for scene in scenes),
        torch.tensor([scene.targets for scene in scenes]),
        torch.from_numpy(np.stack([scene.cells for scene in scenes])),
        torch.tensor([tokens + [UNKNOWN] * (longest - len(tokens)) for tokens in said]),
        (
            torch.tensor([index for index, _, _ in asked]),
            torch.cat([encode(text) for _, text, _ in asked]),
            torch.tensor([ANSWERS.index(answer) for _, _, answer in asked]),
        ),
    )
