"""A network's mistakes for programs: all of it as JSON values, and a row for each mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuronexplain.audit.values import plain_values

from .confusions import class_accuracies, confusions, overall_accuracy, told_first
from .wording import headline, said_sides, say_apart, say_prediction, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .mistakes import CheckedPhotograph, Mistake

MISTAKE_COLUMNS = (
    "image",
    "shown",
    "said",
    "shown_probability",
    "said_probability",
    "rank",
    "lead",
    "for_said",
    "lead_without",
    "for_shown",
    "lead_without_those",
    "sentence",
)
"""The columns of the rows: ``lead_without`` is the lead without what speaks for the said class, and
``lead_without_those`` without what speaks for the shown one."""


def mistakes_values(photographs: Sequence[CheckedPhotograph], labels: Sequence[str]) -> dict[str, Any]:
    """Everything about the mistakes, as JSON values."""
    return {
        "overall": plain_values(overall_accuracy(photographs)),
        "classes": plain_values(class_accuracies(photographs, labels)),
        "confusions": [
            {
                "shown": confusion.shown,
                "said": confusion.said,
                "share": plain_values(confusion.share),
                "images": [mistake.image for mistake in confusion.mistakes],
                "concepts": plain_values(confusion.concepts),
            }
            for confusion in confusions(photographs)
        ],
        "mistakes": [
            {
                **plain_values(mistake),
                "lead": mistake.lead,
                "headline": headline(mistake),
                "prediction": say_prediction(mistake),
                "sentence": say_apart(mistake),
            }
            for mistake in _mistakes(photographs)
        ],
    }


def mistake_rows(photographs: Sequence[CheckedPhotograph]) -> list[dict[str, object]]:
    """A row for each mistake."""
    return [_row(mistake) for mistake in _mistakes(photographs)]


def _mistakes(photographs: Sequence[CheckedPhotograph]) -> list[Mistake]:
    return told_first([photograph.mistake for photograph in photographs if photograph.mistake])


def _row(mistake: Mistake) -> dict[str, object]:
    is_for_said, is_for_shown = said_sides(mistake)
    for_said, for_shown = mistake.for_said, mistake.for_shown
    values = (
        mistake.image,
        mistake.shown.label,
        mistake.said.label,
        mistake.shown.probability,
        mistake.said.probability,
        mistake.rank,
        mistake.lead,
        ", ".join(words_of(for_said)) if is_for_said else "",
        mistake.lead - (for_said.loss or 0.0) if is_for_said else None,
        ", ".join(words_of(for_shown)) if is_for_shown else "",
        mistake.lead + (for_shown.loss or 0.0) if is_for_shown else None,
        say_apart(mistake),
    )
    return dict(zip(MISTAKE_COLUMNS, values, strict=True))
