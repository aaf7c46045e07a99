"""What a sentence says of units: those of which the same is said, by what they stand for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .phrases import enumerate_words, quoted, with_truths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dissection.vocabulary import Meaning, UnitNoun

    from .vocabulary import RankedUnit


@dataclass(frozen=True, slots=True)
class Mentions:
    """Units of which the same is said.

    Attributes:
        counts: how many there are, by phrase, strongest first.
        truths: their greatest truth, by phrase, where any is known.
        formulas: the phrases that are formulas of several concepts.
        noun: what readers call a unit.
    """

    counts: Mapping[str, int]
    truths: Mapping[str, float]
    formulas: frozenset[str]
    noun: UnitNoun

    @classmethod
    def of(cls, units: Iterable[RankedUnit], mention: Callable[[Meaning], str], noun: UnitNoun) -> Mentions:
        """The mentions of units that stand for something, each worded by ``mention``."""
        counts: Counter[str] = Counter()
        truths: dict[str, float] = {}
        formulas: set[str] = set()
        for unit in units:
            if unit.meaning is not None:
                words = mention(unit.meaning)
                counts[words] += 1
                if unit.truth is not None:
                    truths[words] = max(unit.truth, truths.get(words, 0.0))
                if len(unit.meaning.concepts) > 1:
                    formulas.add(words)
        return cls(counts, truths, frozenset(formulas), noun)

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def are_many(self) -> bool:
        """Whether they are several units."""
        return sum(self.counts.values()) > 1

    def listed(self) -> str:
        """The phrases, each with its truth: "sand (84%) and sea"."""
        return enumerate_words(with_truths({words: self.truths.get(words) for words in self.counts}, self.formulas))

    def lacking(self) -> str:
        """The phrases as what is not there: "no sand or sea, and nothing that is “wheel but not car”"."""
        shown = dict(zip(self.counts, quoted(self.counts, self.formulas), strict=True))
        concepts = [words for words in self.counts if words not in self.formulas]
        formulas = [shown[words] for words in self.counts if words in self.formulas]
        no, nothing = f"no {enumerate_words(concepts, 'or')}", f"nothing that is {enumerate_words(formulas, 'or')}"
        if not formulas:
            return no
        return f"{no}, and {nothing}" if concepts else nothing

    def subject(self, verb: str, verb_of_many: str) -> str:
        """The units as the subject of a sentence: "its neuron for sand (84%) responds"."""
        units = self._choose(self.noun, f"{self.noun}s")
        return f"its {units} for {self.listed()} {self._choose(verb, verb_of_many)}"

    def sentence(self, verb: str, verb_of_many: str) -> str:
        """A sentence with the units as its subject; empty if there are none."""
        subject = self.subject(verb, verb_of_many)
        return f"{subject[0].upper()}{subject[1:]}." if self else ""

    def _choose(self, verb: str, verb_of_many: str) -> str:
        return verb_of_many if self.are_many else verb
