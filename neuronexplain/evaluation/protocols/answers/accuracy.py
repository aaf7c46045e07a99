"""Are the network's answers right, by kind of question, and could they be guessed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.evaluation.guessed import Said, accuracy_report
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import asked, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method


@dataclass(frozen=True)
class AnswerAccuracy(Protocol):
    """Answers that are right.

    Attributes:
        others: with how many other pictures each image is compared.
        seed: seed of the two halves of the images, each of which tells what can be guessed of the other.
    """

    others: int = 4
    seed: int = 0

    name = "answer-accuracy"
    needs = frozenset(("one crop", "answers"))

    @property
    def comparisons(self) -> int:
        """With how many other pictures each image is compared."""
        return self.others

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """What the network answers to each question, of its picture and of others."""
        records = records_of(batch)
        for question in asked(batch):
            answers = question.batch.network.classes
            for (image, number), said in zip(question.places, question.batch.predicted, strict=True):
                beside = batch.beside(question.batch.network, image).predicted
                records[image]["questions"][number] |= {
                    "said": answers[said],
                    "beside": [answers[other] for other in beside],
                }
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for all questions, and for each kind."""
        said = [
            [
                Said(
                    kind=question["kind"],
                    known=question["text"].casefold(),
                    right=(right := question["answer"].casefold()),
                    is_right=question["said"].casefold() == right,
                    beside=_share(right, question["beside"]),
                )
                for question in record["questions"]
            ]
            for record in records
        ]
        return accuracy_report(
            "Answers to questions",
            said,
            [record["setting"] for record in records],
            of_what="questions",
            known="question",
            notes=[f"another picture: what the network answers to the same question of {self.others} others"],
            seed=self.seed,
        )


def _share(right: str, answers: Sequence[str]) -> float:
    return sum(answer.casefold() == right for answer in answers) / len(answers)
