"""What can be guessed without looking: the most frequent answer to what is known of a question.

It is learnt on one half of the images and tried on the other, and the other way round. Learnt on the same images, it
would be too good; learnt on all images but the one, it would be too bad, since of balanced answers the others hold one
more of each wrong one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


def guesses(known: Sequence[Sequence[Hashable]], answers: Sequence[str], halves: Sequence[bool]) -> list[str]:
    """For each question, the answer that was most frequent where the same was known, in the other half.

    Args:
        known: of each question, what is known of it, from the most to the least telling: where the other half has no
            question of which the first is true, the next one decides, and after the last one all questions do.
        answers: the right answer to each.
        halves: in which half each question is.

    Returns:
        The guesses; of equally frequent answers the first in the alphabet, and none if the other half is empty.

    >>> guesses([["colour"], ["colour"], ["colour"]], ["red", "blue", "red"], [True, False, False])
    ['blue', 'red', 'red']
    """
    seen: defaultdict[tuple[bool, int, Hashable], Counter[str]] = defaultdict(Counter)
    for facts, answer, half in zip(known, answers, halves, strict=True):
        for level, fact in _levels(facts):
            seen[bool(half), level, fact][answer] += 1
    return [
        _most_frequent(
            next((seen[key] for level, fact in _levels(facts) if (key := (not half, level, fact)) in seen), None)
        )
        for facts, half in zip(known, halves, strict=True)
    ]


def _levels(facts: Sequence[Hashable]) -> list[tuple[int, Hashable]]:
    return list(enumerate([*facts, None]))


def _most_frequent(counts: Counter[str] | None) -> str:
    return min(counts, key=lambda answer: (-counts[answer], answer)) if counts else ""
