"""Rank correlation of the maps of answers with where people look: Sec. 8.2, "Comparison to Human Attention"."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.evaluation.baselines import CENTRE
from neuronexplain.evaluation.correlated import correlation_report
from neuronexplain.evaluation.pointed import is_flat
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import asked, records_of
from neuronexplain.metrics.gaze import SIDE, gaze_correlation, on_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float64

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method

_RANDOM, _PERSON = "random", "person"


@dataclass(frozen=True)
class AnswerAttention(Protocol):
    """Spearman's correlation of maps with where people look, on 14 x 14 cells (Das et al. 2016).

    Of several people, the mean of the correlations with each of them counts.

    Attributes:
        seed: seed of the random maps.
    """

    seed: int = 0

    name = "answer-attention"
    needs = frozenset(("methods", "one crop", "answers"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The correlations of each question."""
        records = records_of(batch)
        for question in asked(batch):
            requested = [[answer] for answer in question.batch.predicted]
            maps = {method.name: question.batch.maps(method, requested) for method in (*methods, CENTRE)}
            for position, (image, number) in enumerate(question.places):
                annotated = batch.annotated[image]
                window = batch.view.window(annotated.photograph)
                people = [on_grid(gaze, window) for gaze in annotated.questions[number].gazes]
                of_question = {name: on_grid(of_method[position][0]) for name, of_method in maps.items()}
                of_question[_RANDOM] = _random_map(f"{self.seed} {annotated.name} {number}")
                flat = [name for name, of_method in maps.items() if is_flat(of_method[position][0])]
                records[image]["questions"][number] |= {
                    "correlations": {
                        **{name: _mean_correlation(values, people) for name, values in of_question.items()},
                        **({_PERSON: _agreement(people)} if len(people) > 1 else {}),
                    },
                    "flat": flat,
                }
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method, for the centre, for random maps, and for other people."""
        named = [(method.name, method.title) for method in (*methods, CENTRE)]
        return correlation_report(
            "Rank correlation with where people look, Sec. 8.2",
            records,
            [*named, (_RANDOM, "(random maps)"), (_PERSON, "(another person)")],
            notes=["the network's answer is explained, right or wrong", "a flat map has a correlation of 0"],
        )


def _mean_correlation(values: Float64[np.ndarray, "14 14"], people: Sequence[Float64[np.ndarray, "14 14"]]) -> float:
    return float(np.mean([gaze_correlation(values, person) for person in people]))


def _agreement(people: Sequence[Float64[np.ndarray, "14 14"]]) -> float:
    """How well people agree with each other: the mean correlation of all pairs."""
    return float(
        np.mean([gaze_correlation(first, second) for at, first in enumerate(people) for second in people[at + 1 :]])
    )


def _random_map(of_what: str) -> Float64[np.ndarray, "14 14"]:
    """A map of noise that depends on nothing but what it is for."""
    seed = int.from_bytes(hashlib.sha256(of_what.encode()).digest()[:8])
    return np.random.default_rng(seed).random((SIDE, SIDE))
