"""``neuronexplain runs delete``: take runs out of a database."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from db.records import Run


def delete(
    numbers: Annotated[list[int], typer.Argument(metavar="RUN...", help="Numbers of the runs to delete.")],
    db: options.Db,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete runs with everything that belongs to them: all of those that are named, or none. Others stay as they are.

    Example: neuronexplain runs delete 2 --db names.db
    """
    from db import NameStore

    with NameStore.open(db) as store:
        chosen = [store.run(number) for number in dict.fromkeys(numbers)]
        count = len(store.runs())
    for run in chosen:
        console.say(f"{'Deleting' if yes else 'To be deleted'}: {_line(run)}")
    if not (yes or _is_agreed(f"Delete {len(chosen)} of the {count} runs in {db}?")):
        console.say("Nothing was deleted.")
        raise typer.Exit(1)
    with NameStore.create(db) as store:
        store.delete_all(chosen)
    console.say(f"Deleted {len(chosen)}; {count - len(chosen)} left.")


def _line(run: Run) -> str:
    return (
        f"run {run.id}, {run.network} {run.layer.name}, {run.layer.units} {run.layer.noun}s named by {run.concepts}, "
        f"{run.images} images, built {run.created:%F %R}"
    )


def _is_agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise NeuronExplainError("runs are deleted only after a question, and there is nobody to ask: add --yes")
    return typer.confirm(question)
