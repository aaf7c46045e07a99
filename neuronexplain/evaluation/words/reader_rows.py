"""What does a reader learn from the words alone?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.counts import count
from neuronexplain.evaluation.ground_truth.labelled_concepts import category_of
from neuronexplain.metrics.intervals import Figure, figure
from neuronexplain.metrics.reader import UNKNOWN, World

from .records import row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from neuronexplain.evaluation.tables import TableRow

    from .records import SentenceRecord

DEALS = 20
"""How many times names are dealt at random."""

_IS_THERE = {"responds": True, "against": True, "torn": True, "absent": False}
"""What a reader takes from a role; that a unit stays silent says nothing certain."""


def reader_row(
    records: Sequence[SentenceRecord], names: Mapping[int, str], *, by_scene: bool, seed: int = 0
) -> TableRow:
    """How often :class:`World`'s reader guesses what is predicted, a class or a word, from a sentence's mentions.

    Beside it, the names of all named units are dealt among them at random, and the same units are mentioned. Images
    whose prediction occurs in no other image are left out: no reader could guess it.

    Args:
        records: the sentences.
        names: each named unit's concept, by key.
        by_scene: whether the reader knows the other images by their scenes' classes, and not by the predicted ones.
        seed: seed of the deals.
    """
    keys = sorted({*names.values(), *(mention.concept for record in records for mention in record.mentions)})
    column = {key: number for number, key in enumerate(keys)}
    predictions, known_by = _classes(records, by_scene=by_scene)
    world = _world(records, keys, known_by)
    generator = np.random.default_rng(seed)
    dealt = [dict(zip(names, generator.permutation(list(names.values())).tolist(), strict=True)) for _ in range(DEALS)]

    def rightness(image: int, named: Mapping[int, str]) -> float:
        evidence = _evidence(records[image], named)
        guess = world.guess(image, sorted((column[key], is_there) for key, is_there in evidence))
        return 100.0 * (guess == predictions[image])

    guessable = [world.knows(image, prediction) for image, prediction in enumerate(predictions)]
    return row(
        "reader",
        "a reader guesses the prediction from the words, %",
        _mean(guessable, lambda image: rightness(image, names)),
        _mean(guessable, lambda image: sum(rightness(image, named) for named in dealt) / DEALS),
        meaning="names dealt at random",
        over=count(sum(guessable), "sentence"),
    )


def _mean(is_counted: Sequence[bool], value: Callable[[int], float]) -> Figure:
    """The mean of a value over the images that count."""
    return figure([value(image) if counts else 0.0 for image, counts in enumerate(is_counted)], is_counted)


def _classes(records: Sequence[SentenceRecord], *, by_scene: bool) -> tuple[list[int], list[int]]:
    """Numbers of what is predicted for each image, and of what the reader knows it by."""
    predicted, scenes = [record.predicted for record in records], [record.scene for record in records]
    distinct = {one for one in (*predicted, *scenes) if one is not None}
    numbers = {None: UNKNOWN} | {one: number for number, one in enumerate(sorted(distinct))}
    predictions = [numbers[one] for one in predicted]
    return predictions, [numbers[one] for one in scenes] if by_scene else predictions


def _world(records: Sequence[SentenceRecord], keys: Sequence[str], known_by: Sequence[int]) -> World:
    shape = len(records), len(keys)
    return World(
        np.array(known_by, np.int64),
        np.array([[key in record.shows for key in keys] for record in records], bool).reshape(shape),
        np.array([[category_of(key) in record.labelled for key in keys] for record in records], bool).reshape(shape),
    )


def _evidence(record: SentenceRecord, named: Mapping[int, str]) -> set[tuple[str, bool]]:
    """The concepts of the mentioned units by these names, and whether they are said to be there."""
    return {
        (named[unit], _IS_THERE[mention.role])
        for mention in record.mentions
        if mention.role in _IS_THERE
        for unit in mention.units
    }
