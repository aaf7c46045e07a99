"""What two networks say of the same photographs: records, one per photograph, and what they add up to."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuronexplain.classes import normal
from neuronexplain.clauses import roles
from neuronexplain.metrics.intervals import Figure, difference, figure
from neuronexplain.phrases import phrase

from .changes import largest_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from neuronexplain.answer import Answer
    from neuronexplain.vocabulary import RankedUnit, Role

SideRecord = dict[str, Any]
"""What one network says of a photograph, as JSON values."""

_SAID: Mapping[Role, str] = {
    "responds": "{}",
    "absent": "no {}",
    "against": "{} (against)",
    "missed": "{} (silent)",
    "torn": "{} (both ways)",
}
"""How a word of a sentence is listed, by its role."""

_FIRST, _SECOND = "first", "second"


@dataclass(frozen=True, slots=True)
class WordChange:
    """A word of sentences.

    Attributes:
        word: the word, with what is said of it.
        gained: photographs of which only the second network says it.
        lost: photographs of which only the first network says it.
        difference: by how many of a hundred photographs more the second says it.
    """

    word: str
    gained: int
    lost: int
    difference: Figure


@dataclass(frozen=True, slots=True)
class PhotographChange:
    """A photograph of which the two networks say different things.

    Attributes:
        image: the photograph's path in its folder.
        index: its number.
        true: the class that its folder is named after; empty if that is unknown.
        predictions: what each network predicts, and its probability.
        sentences: what is said of each prediction.
        gained: words that only the second network says.
        lost: words that only the first network says.
    """

    image: str
    index: int
    true: str
    predictions: tuple[tuple[str, float], tuple[str, float]]
    sentences: tuple[str, str]
    gained: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def is_other_prediction(self) -> bool:
        """Whether the predictions differ."""
        return normal(self.predictions[0][0]) != normal(self.predictions[1][0])

    @property
    def probability_change(self) -> float:
        """By how much the probability of the prediction has changed; 1 where another class is predicted."""
        return 1.0 if self.is_other_prediction else abs(self.predictions[1][1] - self.predictions[0][1])


@dataclass(frozen=True, slots=True)
class SpeechCompared:
    """What all photographs together show; shares are in percent.

    Attributes:
        photographs: how many there are.
        judged: of how many of them the class is known to both networks.
        agreement: photographs with the same prediction.
        accuracy: right predictions of each network, and the second's less the first's, among those judged.
        words: words in a sentence of each network, and the difference.
        kept: of the words that either network says of a photograph, those that both say.
        truth: how often the words are true, as said beside them, and the difference.
        word_changes: words gained and lost, the largest change first.
        photograph_changes: photographs that differ, those whose words differ most first.
    """

    photographs: int
    judged: int
    agreement: Figure
    accuracy: tuple[Figure, Figure, Figure]
    words: tuple[Figure, Figure, Figure]
    kept: Figure
    truth: tuple[Figure, Figure, Figure]
    word_changes: tuple[WordChange, ...]
    photograph_changes: tuple[PhotographChange, ...]


def side_record(answer: Answer) -> SideRecord:
    """What a network says of a photograph; of a word that several units share, the mean of their truths."""
    truths: dict[str, list[float]] = defaultdict(list)
    for role, units in roles((*answer.top, *answer.bottom)).items():
        for unit in units:
            if unit.meaning is not None:
                truths[_SAID[role].format(phrase(unit.meaning))] += _truth(unit)
    return {
        "label": answer.prediction.label,
        "probability": answer.prediction.probability,
        "sentence": answer.sentence,
        "words": {word: sum(values) / len(values) if values else None for word, values in truths.items()},
    }


def compared(records: Sequence[Mapping[str, Any]]) -> SpeechCompared:
    """What the records of photographs add up to.

    Args:
        records: by photograph: ``image``, ``true`` (the class that its folder is named after, or empty), whether each
            prediction is ``right`` (or ``None`` where that is not known), and the :func:`side_record` of each network.
    """
    pairs = [(record[_FIRST], record[_SECOND]) for record in records]
    judged = [record["right"] for record in records if None not in record["right"]]
    rights = [[100.0 * right[side] for right in judged] for side in (0, 1)]
    words = [[len(pair[side]["words"]) for pair in pairs] for side in (0, 1)]
    both = [len(first["words"].keys() & second["words"].keys()) for first, second in pairs]
    either = [len(first["words"].keys() | second["words"].keys()) for first, second in pairs]
    return SpeechCompared(
        photographs=len(records),
        judged=len(judged),
        agreement=figure([100.0 * (normal(first["label"]) == normal(second["label"])) for first, second in pairs]),
        accuracy=_both_and_difference(*((values, [1.0] * len(values)) for values in rights)),
        words=_both_and_difference(*((values, [1.0] * len(values)) for values in words)),
        kept=figure([100.0 * count for count in both], either),
        truth=_both_and_difference(*(_truths(pair[side] for pair in pairs) for side in (0, 1))),
        word_changes=tuple(_word_changes(pairs)),
        photograph_changes=tuple(_photograph_changes(records)),
    )


def _both_and_difference(
    first: tuple[Sequence[float], Sequence[float]], second: tuple[Sequence[float], Sequence[float]]
) -> tuple[Figure, Figure, Figure]:
    """Two figures over the same photographs, and the second less the first."""
    if not first[0]:
        unknown = figure([0.0], [0.0])
        return unknown, unknown, unknown
    return figure(*first), figure(*second), difference(second, first)


def _truths(sides: Iterable[SideRecord]) -> tuple[list[float], list[float]]:
    """Sums of truths in percent and numbers of words with a truth, by photograph."""
    known = [[truth for truth in side["words"].values() if truth is not None] for side in sides]
    return [100.0 * math.fsum(truths) for truths in known], [float(len(truths)) for truths in known]


def _truth(unit: RankedUnit) -> list[float]:
    truth = unit.absence if unit.clause == "absent" else unit.truth
    return [] if truth is None else [truth]


def _word_changes(pairs: Sequence[tuple[SideRecord, SideRecord]]) -> list[WordChange]:
    steps: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(pairs))
    for place, (first, second) in enumerate(pairs):
        for word in first["words"].keys() ^ second["words"].keys():
            steps[word][place] = 100.0 if word in second["words"] else -100.0
    changes = [
        WordChange(word, sum(step > 0 for step in values), sum(step < 0 for step in values), figure(values))
        for word, values in sorted(steps.items())
    ]
    return largest_first(changes)


def _photograph_changes(records: Sequence[Mapping[str, Any]]) -> list[PhotographChange]:
    changes = [_photograph_change(index, record) for index, record in enumerate(records)]
    differing = [change for change in changes if change.gained or change.lost or change.is_other_prediction]
    return sorted(
        differing, key=lambda change: (-len(change.gained) - len(change.lost), -change.probability_change, change.index)
    )


def _photograph_change(index: int, record: Mapping[str, Any]) -> PhotographChange:
    first, second = record[_FIRST], record[_SECOND]
    return PhotographChange(
        record["image"],
        index,
        record["true"],
        ((first["label"], first["probability"]), (second["label"], second["probability"])),
        (first["sentence"], second["sentence"]),
        tuple(word for word in second["words"] if word not in first["words"]),
        tuple(word for word in first["words"] if word not in second["words"]),
    )
