"""What raters are asked, and what only the study knows: the nouns of the human studies.

A question never says what is right. It shows one explanation and two categories (discrimination), or two explanations
of one prediction (trust), in an order that means nothing; its :class:`Solution` is kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

StudyKind = Literal["discrimination", "trust"]
"""Sec. 5.1: which of two categories does an explanation show? Sec. 5.2: which of two networks is more reliable?"""

SENTENCE = "sentence"
"""The visualisation that is words instead of a picture; the others are names of methods."""

RATINGS = 9
"""Ratings of each question, as in the paper."""

SCALE: Mapping[int, str] = MappingProxyType(
    {
        2: "Robot A seems clearly more reliable than robot B",
        1: "Robot A seems slightly more reliable than robot B",
        0: "Both robots seem equally reliable",
        -1: "Robot A seems slightly less reliable than robot B",
        -2: "Robot A seems clearly less reliable than robot B",
    }
)
"""The answers of a trust study, by their score for the network that is shown first."""

OPTIONS = (0, 1)
"""The answers of a discrimination study: the position of the category that was chosen."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """An explanation as a rater sees it: a picture, or words.

    Attributes:
        picture: the name of its file, which tells nothing; empty if it is words.
        text: the words; empty if it is a picture.
    """

    picture: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, without the answer.

    Attributes:
        id: names the question, and tells nothing.
        labels: the two categories to choose from, or the one class that both networks predict.
        stimuli: the explanation, or one of each network.
    """

    id: str
    labels: tuple[str, ...]
    stimuli: tuple[Stimulus, ...]


@dataclass(frozen=True, slots=True)
class Solution:
    """What a rater must not know of a question.

    Attributes:
        image: the name of the image.
        visualisation: ``sentence``, or the name of a method.
        explained: the category that is explained.
        position: which of the labels that is (discrimination), or which of the stimuli is of the first network (trust).
    """

    image: str
    visualisation: str
    explained: str
    position: int


@dataclass(frozen=True, slots=True)
class Rating:
    """A rater's answer to a question.

    Attributes:
        rater: names the rater in this study, and nobody elsewhere.
        question: the question's id.
        answer: the position of the chosen label, or the score of the first stimulus on :data:`SCALE`; in the
            question's order, whichever side the rater saw on the left.
    """

    rater: str
    question: str
    answer: int


def answers_of(kind: StudyKind) -> tuple[int, ...]:
    """The answers that a question of such a study has."""
    return OPTIONS if kind == "discrimination" else tuple(SCALE)


def turned(kind: StudyKind, answer: int) -> int:
    """What an answer means where the labels or stimuli are shown in the other order; turned twice, it is itself.

    >>> turned("discrimination", 0), turned("trust", 2)
    (1, -2)
    """
    return 1 - answer if kind == "discrimination" else -answer


def score(kind: StudyKind, solution: Solution, answer: int) -> int:
    """What an answer counts: 1 if it is the explained category, else 0; or the first network's score, from -2 to 2.

    >>> solution = Solution("beach.jpg", "guided-grad-cam", "boat", 1)
    >>> score("discrimination", solution, 1), score("trust", solution, 2)
    (1, -2)
    """
    if kind == "discrimination":
        return int(answer == solution.position)
    return answer if solution.position == 0 else -answer
