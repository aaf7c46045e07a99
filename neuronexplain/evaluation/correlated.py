"""A table of rank correlations, for the maps of answers to questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain.metrics.intervals import figure

from .tables import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.metrics.intervals import Figure

    from .record_journal import Record
    from .tables import TableRow


def correlation_report(
    title: str, records: Sequence[Record], named: Sequence[tuple[str, str]], *, notes: Sequence[str]
) -> Report:
    """A row for each map: the mean of its correlations, of all questions and of each kind.

    Args:
        title: what was measured.
        records: with the questions of each image, and "correlations" and "flat" maps in each.
        named: names of maps in the records, with their titles; those that nothing is recorded of are left out.
        notes: what a reader must know.
    """
    questions = [record["questions"] for record in records]
    kinds = list(dict.fromkeys(question["kind"] for of_image in questions for question in of_image))
    shown = kinds if len(kinds) > 1 else []
    columns = {
        "method": "method",
        "correlation": "rank correlation",
        **{f"correlation, {kind}": kind or "no kind" for kind in shown},
        "flat": "flat maps",
        "questions": "questions",
        "images": "images",
    }
    rows: list[TableRow] = []
    for name, row_title in named:
        correlations = [
            [
                (question["kind"], question["correlations"][name])
                for question in of_image
                if name in question["correlations"]
            ]
            for of_image in questions
        ]
        if any(correlations):
            rows.append(
                {
                    "method": row_title,
                    "correlation": _mean([[value for _, value in of_image] for of_image in correlations]),
                    **{
                        f"correlation, {kind}": _mean(
                            [[value for kind_of, value in of_image if kind_of == kind] for of_image in correlations]
                        )
                        for kind in shown
                    },
                    "flat": sum(name in question["flat"] for of_image in questions for question in of_image),
                    "questions": sum(map(len, correlations)),
                    "images": sum(map(bool, correlations)),
                }
            )
    return Report(title, columns, tuple(rows), tuple(notes))


def _mean(values: Sequence[Sequence[float]]) -> Figure:
    return figure([sum(of_image) for of_image in values], [len(of_image) for of_image in values])
