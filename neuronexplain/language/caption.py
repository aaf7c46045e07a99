"""A caption and its words: how likely each is, what it owes to the picture, and which neurons speak for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp
from typing import TYPE_CHECKING

from neuronexplain.sentence import say

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32
    from PIL import Image

    from neuronexplain.explanation import Explanation

OWES = 1.0
"""A word owes something to a picture that makes it more than e times as likely as other pictures do, in nats.

Words for places and things were seen to owe 3 to 4 nats, and function words 0.7.
"""


@dataclass(frozen=True, slots=True)
class Debt:
    """What a word owes to its picture: its log-probability, less the mean of that with other pictures.

    Attributes:
        value: in nats.
        interval: 95 % interval of it, by how much the other pictures differ.
        pictures: how many other pictures there were.
    """

    value: float
    interval: tuple[float, float]
    pictures: int

    @property
    def is_owed(self) -> bool:
        """Whether the word surely owes something to the picture."""
        return self.interval[0] > OWES


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
    explanation: Explanation | None

    @property
    def probability(self) -> float:
        """How likely it is with the picture."""
        return exp(self.log_probability)

    @property
    def sentence(self) -> str:
        """Why it is said, in plain English; empty where it was not asked for."""
        if self.explanation is not None:
            return say(self.explanation)
        if self.debt is not None and not self.debt.is_owed:
            return f"It would say “{self.text}” whatever the picture."
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedCaption:
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
    def explanations(self) -> list[Explanation]:
        """Those of its words, each under the photograph's name, the word and the caption."""
        return [
            replace(word.explanation, image=f"{self.image}: “{word.text}” of “{self.caption}”")
            for word in self.words
            if word.explanation is not None
        ]

    @property
    def sentence(self) -> str:
        """Why its words are said, in plain English."""
        return " ".join(word.sentence for word in self.words if word.sentence)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.image}: {self.caption!r}>"

    def to_dict(self) -> dict[str, object]:
        """Plain values, as JSON holds them; maps and photographs are left out."""
        return {
            "image": self.image,
            "caption": self.caption,
            "log_probability": self.log_probability,
            "words": [_plain(word) for word in self.words],
        }


def _plain(word: SaidWord) -> dict[str, object]:
    debt = word.debt
    return {
        "word": word.text,
        "log_probability": word.log_probability,
        "probability": word.probability,
        "owes_to_picture": None
        if debt is None
        else {"nats": debt.value, "interval": list(debt.interval), "pictures": debt.pictures, "is_owed": debt.is_owed},
        "sentence": word.sentence,
        "explanation": None if word.explanation is None else word.explanation.to_dict(),
    }
