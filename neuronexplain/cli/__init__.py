"""The console script ``neuronexplain``: the only place that prints. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import NoReturn

import typer

from dissection.errors import NeuronExplainError

from . import building, demonstration, explaining, listing, sets

app = typer.Typer(
    name="neuronexplain",
    help="Says in words why an image classifier predicts what it predicts.\n\n"
    "Name a network's neurons once (build), then explain predictions (explain) and ask what matters for a class "
    "(concepts of). Start with: neuronexplain demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demonstration.demo)
app.command("build")(building.build)
app.command("explain")(explaining.explain)
app.command("units")(listing.units)
app.command("runs")(listing.runs)
app.add_typer(sets.concepts, name="concepts")
app.add_typer(listing.classes, name="classes")
sets.concepts.command("of")(listing.concepts_of)


class _InterruptedError(BaseException):
    """Ctrl-C, under a name that typer does not turn into an exit status of its own."""


def main() -> None:
    """Run the command line; errors are one line and exit status 2."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (Exception, _InterruptedError) as error:  # noqa: BLE001 -- people are shown a line, not a traceback
        if os.environ.get("NEURONEXPLAIN_DEBUG"):
            traceback.print_exc()
        message, status = _told(error)
        sys.stderr.write(f"neuronexplain: {' '.join(message.split())}\n")
        sys.exit(status)


def _interrupt(*_: object) -> NoReturn:
    raise _InterruptedError


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit status."""
    match error:
        case NeuronExplainError():
            told = str(error), 2
        case _InterruptedError():
            told = "interrupted; databases and finished files are as they were", 130
        case MemoryError():
            told = "out of memory; a smaller --batch-size needs less", 2
        case OSError():
            told = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2
        case _:
            where = "this is a defect of NeuronExplain; NEURONEXPLAIN_DEBUG=1 shows where"
            told = f"{type(error).__name__}: {error}; {where}", 1
    return told
