"""Mistakes of one kind together: which class is taken for which, how often, and what the photographs have in common."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.metrics.small_samples import mean_of, share

from .mistakes import TOP
from .wording import said_sides, share_lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from neuronexplain.metrics.intervals import Figure

    from .mistakes import CheckedPhotograph, ConceptPart, Mistake


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """How often a class is recognised.

    Attributes:
        label: the class.
        top_1: the share of its photographs for which it is the most probable class, with Wilson's interval.
        top_5: the share for which it is among the five most probable.
    """

    label: str
    top_1: Figure
    top_5: Figure


@dataclass(frozen=True, slots=True)
class CommonConcept:
    """What a name does in the photographs of one confusion.

    Attributes:
        concept: the name as it is spoken.
        category: its category.
        photographs: in how many of them its neurons may be said to respond.
        effect: what the wrong class's lead loses to first order without these neurons, on average over all photographs
            of the confusion, with Student's interval; below 0 where they speak for the right class.
    """

    concept: str
    category: str
    photographs: int
    effect: Figure


@dataclass(frozen=True, slots=True)
class Confusion:
    """A class that is taken for another.

    Attributes:
        shown: the class that the photographs show.
        said: the class that the network says.
        share: the share of the photographs of the class of which this is true, with Wilson's interval.
        mistakes: these photographs; first those of which most can be said.
        concepts: names that may be said to respond in some of them, the strongest effect first.
    """

    shown: str
    said: str
    share: Figure
    mistakes: tuple[Mistake, ...]
    concepts: tuple[CommonConcept, ...]


def class_accuracies(photographs: Sequence[CheckedPhotograph], labels: Sequence[str]) -> list[ClassAccuracy]:
    """How often each class is recognised that has photographs, the least first."""
    ranks: dict[int, list[int]] = defaultdict(list)
    for photograph in photographs:
        ranks[photograph.shown].append(photograph.rank)
    accuracies = [ClassAccuracy(labels[index], *_accuracies(ranks[index])) for index in sorted(ranks)]
    return sorted(accuracies, key=lambda accuracy: accuracy.top_1.value)


def overall_accuracy(photographs: Sequence[CheckedPhotograph]) -> ClassAccuracy:
    """How often the network is right, over all photographs."""
    return ClassAccuracy("", *_accuracies([photograph.rank for photograph in photographs]))


def confusions(photographs: Sequence[CheckedPhotograph]) -> list[Confusion]:
    """Which class is taken for which, those that happen most first; ties in the order of :func:`told_first`."""
    totals = Counter(photograph.shown for photograph in photographs)
    by_pair: dict[tuple[int, int], list[Mistake]] = defaultdict(list)
    for mistake in told_first([photograph.mistake for photograph in photographs if photograph.mistake]):
        by_pair[mistake.shown.index, mistake.said.index].append(mistake)
    found = [
        Confusion(
            mistakes[0].shown.label,
            mistakes[0].said.label,
            share(len(mistakes), totals[shown]),
            tuple(mistakes),
            tuple(_common(mistakes)),
        )
        for (shown, _), mistakes in by_pair.items()
    ]
    return sorted(found, key=lambda confusion: -len(confusion.mistakes))


def told_first(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Mistakes in the order of what can be said of them.

    First come those whose wrong class loses most of its lead without the neurons that are said to speak for it, up to
    all of it; then those of which something else is said; then the others. The surest mistake comes first among equals.
    """
    return sorted(
        mistakes,
        key=lambda mistake: (-min(share_lost(mistake), 1.0), not any(said_sides(mistake)), -mistake.said.probability),
    )


def _accuracies(ranks: Sequence[int]) -> tuple[Figure, Figure]:
    top_1, top_5 = (share(sum(rank <= most for rank in ranks), len(ranks)) for most in (1, TOP))
    return top_1, top_5


def _common(mistakes: Sequence[Mistake]) -> Iterator[CommonConcept]:
    parts: dict[str, list[ConceptPart]] = defaultdict(list)
    for mistake in mistakes:
        for part in mistake.responding:
            parts[part.concept].append(part)
    for concept, found in sorted(parts.items(), key=lambda item: -abs(sum(part.effect for part in item[1]))):
        effects = [part.effect for part in found] + [0.0] * (len(mistakes) - len(found))
        yield CommonConcept(concept, found[0].category, len(found), mean_of(effects))
