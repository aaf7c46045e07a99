"""What the database's answers about classes have in common when they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import console

if TYPE_CHECKING:
    from db.records import Run

HEADINGS = {"lit": "lit", "lit_low": "from", "lit_high": "to", "alpha": "alpha", "contribution": "contribution"}
"""Headings of the numbers that an answer consists of."""

EXPLAINED = "lit: what lit cells contribute above the average class, with its 95 % interval."


def say_ranking(run: Run, rows: list[console.Row], *, is_default: bool, for_people: bool) -> None:
    """Say what ``lit`` means, or that answers are ranked by alpha since the run has none."""
    if any(row["lit"] is not None for row in rows):
        if for_people:
            console.say(EXPLAINED)
    elif rows and is_default:
        say = console.say if for_people else console.note
        say(
            f"No class statistics are kept with run {run.id}, so this is ranked by alpha: build again with --draws 199."
        )
