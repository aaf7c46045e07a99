"""A caption and its words: how likely each is, what it owes to the picture, and which neurons speak for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal, TypeAlias

from .answer import Answer, AnswerPair
from .phrases import enumerate_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from jaxtyping import Float32
    from PIL import Image

OWES = 1.0
"""A word owes something to a picture that makes it more than e times as likely as other pictures do, in nats.

Of the shipped captioner, 97 to 99 of 100 words for colours, things and places surely owe more, half of them over 3.4 to
4.6 nats; of function words 77 surely owe less (240 scenes that it has not seen, ``evaluate captions debts``).
"""


_LIKELY = 0.5
"""A word is said anyway if it is at least this probable with other pictures, on (geometric) average."""

Standing: TypeAlias = Literal["explained", "unknown", "owed", "unsure", "habit", "little"]
_REMARKS: Mapping[Standing, tuple[str, str]] = {
    "habit": ("It would say {} whatever the picture.", "It would say {} whatever the picture."),
    "little": ("{} owes little to the picture.", "{} owe little to the picture."),
    "unsure": ("It is unsure what {} owes to the picture.", "It is unsure what {} owe to the picture."),
}


@dataclass(frozen=True, slots=True)
class Debt:
    """What a word owes to its picture: its log-probability, less the mean of that with other pictures.

    Attributes:
        value: in nats.
        interval: its 95 % interval, from how much the other pictures differ.
        pictures: how many other pictures there were.
    """

    value: float
    interval: tuple[float, float]
    pictures: int

    @classmethod
    def to(cls, log_probability: float, others: Sequence[float]) -> Debt | None:
        """The debt of a word to its picture; ``None`` unless there are two other pictures, which differ somehow.

        Args:
            log_probability: how likely the word is with its picture.
            others: how likely it is with each other picture.
        """
        if len(others) < 2:
            return None
        value, half = log_probability - fmean(others), 1.96 * stdev(others) / len(others) ** 0.5
        return cls(value, (value - half, value + half), len(others))

    @property
    def is_owed(self) -> bool:
        """Whether the word surely owes something to the picture."""
        return self.interval[0] > OWES

    @property
    def is_none(self) -> bool:
        """Whether it surely owes nothing, or little."""
        return self.interval[1] <= OWES


@dataclass(frozen=True, slots=True, eq=False)
class SaidWord:
    """A word of a caption, given those before it.

    Attributes:
        text: the word.
        place: its place in the caption, from 0.
        log_probability: how likely it is with the picture.
        debt: what it owes to the picture; ``None`` where there are no other pictures to tell.
        explanation: the neurons that speak for and against its log-odds, and its heat map; ``None`` where it was not
            explained, because it owes nothing to the picture or was not asked for.
    """

    text: str
    place: int
    log_probability: float
    debt: Debt | None
    explanation: Answer | None

    @property
    def probability(self) -> float:
        """How likely it is with the picture."""
        return exp(self.log_probability)

    @property
    def standing(self) -> Standing:
        """What is known of its debt, where it is not explained; "explained" or "unknown" otherwise."""
        if self.explanation is not None:
            return "explained"
        if self.debt is None:
            return "unknown"
        if not self.debt.is_none:
            return "owed" if self.debt.is_owed else "unsure"
        with_others = exp(self.log_probability - self.debt.value)
        return "habit" if with_others >= _LIKELY else "little"

    @property
    def sentence(self) -> str:
        """Why it is said, in plain English; empty where it was not asked for."""
        return self.explanation.sentence if self.explanation is not None else remark(self.standing, [self])


@dataclass(frozen=True, slots=True, eq=False)
class CaptionAnswer:
    """A caption of a photograph, explained word by word.

    Attributes:
        image: where the photograph came from.
        words: its words, in order.
        photograph: the part of the photograph that the network saw.
        heatmap: Eq. 2 for the sum of all words' log-probabilities, upsampled to the network's input size; not
            normalised, nowhere negative.
    """

    image: str
    words: tuple[SaidWord, ...]
    photograph: Image.Image
    heatmap: Float32[np.ndarray, "h w"]

    @property
    def caption(self) -> str:
        """The words."""
        return " ".join(word.text for word in self.words)

    @property
    def log_probability(self) -> float:
        """How likely the words are with the picture, one after the other; the caption's end is left out."""
        return sum(word.log_probability for word in self.words)

    @property
    def explained(self) -> list[tuple[SaidWord, Answer]]:
        """Those of its words that are explained."""
        return [(word, word.explanation) for word in self.words if word.explanation is not None]

    @property
    def remarks(self) -> list[str]:
        """What is said of the words that are not explained."""
        return [
            remark(standing, words)
            for standing in _REMARKS
            if (words := [word for word in self.words if word.standing == standing])
        ]

    @property
    def sentence(self) -> str:
        """Why its words are said, in plain English."""
        return " ".join([*self.remarks, *(answer.sentence for _, answer in self.explained)])


def remark(standing: Standing, words: Sequence[SaidWord]) -> str:
    """What is said of words of which the same is known; empty where there is nothing to say."""
    of_one, of_many = _REMARKS.get(standing, ("", ""))
    texts = list(dict.fromkeys(word.text for word in words))
    return (of_one if len(texts) == 1 else of_many).format(enumerate_words([f"“{text}”" for text in texts]))


AnyAnswer: TypeAlias = Answer | AnswerPair | CaptionAnswer
"""What is said of one photograph: of a class, of two, or of the words of a caption."""
