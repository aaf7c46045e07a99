"""Groups compared, for programs: all of it as JSON values, and a row for each concept, class and pair of groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuronexplain.audit.values import plain_values

from .page import say_accuracies, say_carriers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .groups import GroupGap

GROUP_COLUMNS = (
    "class",
    "group",
    "compared_with",
    "images",
    "images_of_other",
    "accuracy",
    "accuracy_of_other",
    "gap",
    "gap_low",
    "gap_high",
    "concept",
    "category",
    "difference",
    "low",
    "high",
    "carries",
)


def groups_values(gaps: Sequence[GroupGap]) -> list[dict[str, Any]]:
    """The groups compared, as JSON values; the first are over all classes."""
    return [
        {
            **plain_values(gap),
            "is_thin": gap.is_thin,
            "carriers": [concept.concept for concept in gap.carriers],
            "sentence": say_accuracies(gap),
            "carried_by": say_carriers(gap) if gap.label else None,
        }
        for gap in gaps
    ]


def group_rows(gaps: Sequence[GroupGap]) -> list[dict[str, object]]:
    """A row for each concept of each class; one without a concept where all classes are taken together."""
    return [row for gap in gaps for row in _rows(gap)]


def _rows(gap: GroupGap) -> list[dict[str, object]]:
    accuracies = (
        gap.label,
        gap.group,
        gap.other,
        gap.accuracy.images,
        gap.accuracy_of_other.images,
        gap.accuracy.value,
        gap.accuracy_of_other.value,
        gap.gap.value,
        gap.gap.low,
        gap.gap.high,
    )
    carriers = set(gap.carriers)
    found: list[tuple[object, ...]] = [
        (
            concept.concept,
            concept.category,
            concept.difference.value,
            concept.difference.low,
            concept.difference.high,
            concept in carriers,
        )
        for concept in gap.concepts
    ]
    return [
        plain_values(dict(zip(GROUP_COLUMNS, (*accuracies, *values), strict=True)))
        for values in found or [(None, None, None, None, None, None)]
    ]
