"""A study that has been made: what is asked, what is right, and how questions are dealt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .dealing import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .questions import Question, Solution, StudyKind

PICTURES = "public/pictures"
"""Where the pictures are in a study's folder."""


@dataclass(frozen=True)
class Study:
    """A study that has been made.

    Attributes:
        folder: its folder.
        heading: what it is of, as JSON values.
        questions: what raters are asked, by id.
        solutions: what is right, by the question's id.
        digest: identifies the study.
    """

    folder: Path
    heading: Mapping[str, Any]
    questions: Mapping[str, Question]
    solutions: Mapping[str, Solution]
    digest: str

    @property
    def kind(self) -> StudyKind:
        """What raters are asked."""
        kind: StudyKind = self.heading["study"]
        return kind

    @cached_property
    def plan(self) -> Plan:
        """How its questions are dealt."""
        images = {question: solution.image for question, solution in self.solutions.items()}
        return Plan(images, self.heading["ratings"], self.heading["per rater"], self.heading["seed"])

    def picture(self, name: str) -> Path | None:
        """The file of a picture that a question shows; ``None`` if no question shows such a picture."""
        return self.folder / PICTURES / name if name in self._pictures else None

    @cached_property
    def _pictures(self) -> frozenset[str]:
        return frozenset(
            stimulus.picture
            for question in self.questions.values()
            for stimulus in question.stimuli
            if stimulus.picture
        )
