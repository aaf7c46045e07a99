"""The gap between groups of photographs in words and on a page: accuracy first, then class by class what carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain.audit.shown_figures import in_percent, in_points
from neuronexplain.metrics.small_samples import is_apart_from_0
from neuronexplain.phrases import enumerate_words, spoken
from neuronexplain.report.page import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dissection.vocabulary import UnitNoun

    from .groups import ConceptDifference, GroupGap

_SPOKEN = 3
"""How many concepts a sentence names."""

_LISTED_CONCEPTS = 10
"""How many concepts of a class the page lists."""


def say_accuracies(gap: GroupGap) -> str:
    """How often the network is right in either group."""
    groups = (
        f"{in_percent(accuracy)} of {accuracy.images} in {group}"
        for group, accuracy in ((gap.group, gap.accuracy), (gap.other, gap.accuracy_of_other))
    )
    return f"Right in {' and '.join(groups)}: {in_points(gap.gap)} points."


def say_carriers(gap: GroupGap) -> str:
    """What carries the gap between two groups of a class, or why nothing is said to."""
    thin = " These are few photographs." if gap.is_thin else ""
    if not gap.is_a_gap:
        return f"No gap is known: chance may make as much.{thin}"
    carriers = gap.carriers
    if not carriers:
        return f"No concept of which something may be said carries the gap.{thin}"
    words = [_carrier(gap, concept) for concept in carriers[:_SPOKEN]]
    more = len(carriers) - len(words)
    others = f"; {more} more carry less" if more > 1 else "; one more carries less" if more else ""
    return f"It is carried by {enumerate_words(words)}{others}.{thin}"


def say_largest(gaps: Sequence[GroupGap]) -> str:
    """The largest gap of a class, which may not show over all classes together; empty where none is known."""
    known = [gap for gap in gaps if gap.label and gap.is_a_gap]
    if not known:
        return ""
    largest = max(known, key=lambda gap: abs(gap.gap.value))
    return f"The largest gap of a class: {spoken(largest.label)}, {in_points(largest.gap)} points in {largest.group}."


def groups_page(
    gaps: Sequence[GroupGap], *, title: str, facts: Mapping[str, str], notes: Sequence[str], noun: UnitNoun
) -> str:
    """The page, as HTML that loads nothing.

    Args:
        gaps: the groups compared, over all classes and class by class.
        title: headline of the page.
        facts: what a reader must know about the run and the photographs.
        notes: what else a reader must know.
        noun: what readers call a unit.
    """
    return render(
        "audit_groups.html.j2",
        title=title,
        facts=facts,
        notes=notes,
        noun=noun,
        largest=say_largest(gaps),
        overall=[gap for gap in gaps if not gap.label],
        by_class=[gap for gap in gaps if gap.label],
        listed=_LISTED_CONCEPTS,
        in_percent=in_percent,
        in_points=in_points,
        is_apart=is_apart_from_0,
        say_accuracies=say_accuracies,
        say_carriers=say_carriers,
    )


def _carrier(gap: GroupGap, concept: ConceptDifference) -> str:
    """A concept and what it does where it does most: "palm, which speaks against cow in beach"."""
    is_first = abs(concept.mean) >= abs(concept.mean_of_other)
    value, group = (concept.mean, gap.group) if is_first else (concept.mean_of_other, gap.other)
    stance = "for" if value > 0 else "against"
    return f"{concept.concept} (which speaks {stance} {spoken(gap.label)} in {group})"
