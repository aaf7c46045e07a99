"""Which question a rater is asked next, and what is shown on which side.

Questions are rated evenly: the next one is among those with the fewest ratings. Nobody rates a question twice. Sides
are balanced for every question, then for every rater; chance decides only what is left, and its dice are seeded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Deal:
    """A question that a rater has been asked, whether or not there is an answer.

    Attributes:
        question: the question's id.
        swapped: whether labels or stimuli are shown in the other order.
        counts: whether it has an answer, or may still get one: not if it was left open for long.
    """

    question: str
    swapped: bool
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be dealt.

    Attributes:
        images: the image of each question, by the question's id.
        ratings: how many ratings each question needs.
        per_rater: how many questions a rater is asked at most.
        seed: of all chance.
    """

    images: Mapping[str, str]
    ratings: int
    per_rater: int
    seed: int = 0

    def next_question(self, rater: str, asked: Collection[str], deals: Mapping[str, Collection[Deal]]) -> str | None:
        """The question to ask a rater next; ``None`` if there is none.

        Of the questions that need ratings and that the rater has not been asked, it is one with the fewest ratings;
        among these, of an image that the rater has seen least often; among these, one by chance.

        Args:
            rater: names the rater.
            asked: the questions that the rater has been asked.
            deals: all deals, by question.
        """
        if len(asked) >= self.per_rater:
            return None
        counts = {question: sum(deal.counts for deal in deals.get(question, ())) for question in self.images}
        views = Counter(self.images[question] for question in asked)
        open_questions = [
            question for question in self.images if counts[question] < self.ratings and question not in asked
        ]
        return min(
            open_questions,
            key=lambda question: (counts[question], views[self.images[question]], self._dice(rater, question)),
            default=None,
        )

    def is_swapped(self, question: str, of_question: Collection[Deal], of_rater: Collection[Deal]) -> bool:
        """Whether to show a question in the other order: whichever order the question, or else the rater, had less."""
        for deals in (of_question, of_rater):
            surplus = sum(1 if deal.swapped else -1 for deal in deals if deal.counts)
            if surplus:
                return surplus < 0
        return self._dice("side", question, str(len(of_question)))[0] % 2 == 1

    def _dice(self, *parts: str) -> bytes:
        return hashlib.sha256("\0".join((str(self.seed), *parts)).encode()).digest()
