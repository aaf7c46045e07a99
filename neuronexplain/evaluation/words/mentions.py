"""What a sentence says of concepts, one value for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.clauses import roles
from neuronexplain.evaluation.ground_truth.labelled_concepts import concept_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.explanation import Explanation
    from neuronexplain.vocabulary import RankedUnit, Role


@dataclass(frozen=True, slots=True)
class Mention:
    """A concept in a sentence.

    Attributes:
        role: what is said of it.
        concept: the concept, or the formula that units stand for, by its key.
        units: the units that the sentence counts for it, strongest first.
        said: the share of images in which it is said to be there: the greatest truth of the units; ``None`` where
            none is known.
    """

    role: Role
    concept: str
    units: tuple[int, ...]
    said: float | None


def mentions_of(explanation: Explanation) -> list[Mention]:
    """The concepts that a sentence speaks of, each once for each role."""
    mentions: list[Mention] = []
    for role, units in roles((*explanation.top, *explanation.bottom)).items():
        by_concept: dict[str, list[RankedUnit]] = {}
        for unit in units:
            if unit.meaning is not None:
                by_concept.setdefault(concept_key(unit.meaning), []).append(unit)
        mentions += [_mention(role, concept, units_of_concept) for concept, units_of_concept in by_concept.items()]
    return mentions


def _mention(role: Role, concept: str, units: Sequence[RankedUnit]) -> Mention:
    truths = [unit.truth for unit in units if unit.truth is not None]
    return Mention(role, concept, tuple(unit.unit for unit in units), max(truths, default=None))
