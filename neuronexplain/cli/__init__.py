"""The console script ``neuronexplain``: the only place that prints. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import sys
import time

import typer

from . import (
    allocator,
    building,
    console,
    converting,
    demonstration,
    evaluating,
    explaining,
    failures,
    fetching,
    listing,
    networks,
    sets,
    sharing,
    showing,
)

_COURTESY = 1
"""Seconds for rank 0 to say what is wrong with a command that every rank was given: torchrun stops it when one ends."""

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
app.command("evaluate")(evaluating.evaluate)
app.command("units")(listing.units)
app.command("runs")(listing.runs)
app.command("networks")(networks.networks)
app.command("layers")(networks.layers)
app.add_typer(networks.weights, name="weights")
app.command("export")(sharing.export)
app.command("import")(sharing.import_)
app.add_typer(sets.concepts, name="concepts")
app.add_typer(listing.classes, name="classes")
sets.concepts.command("convert")(converting.convert)
sets.concepts.command("join")(converting.join)
sets.concepts.command("kinds")(converting.kinds)
sets.concepts.command("of")(listing.concepts_of)
sets.concepts.command("fetch")(fetching.fetch)
sets.concepts.command("show")(showing.show)
sets.concepts.command("find")(showing.find)


def _run() -> int | None:
    try:
        status: int | None = app(prog_name=app.info.name, standalone_mode=False)
    except failures.UsageError as error:  # which typer, in its standalone mode, shows in a box
        status = failures.tell_usage(error)
    return status


def main() -> None:
    """Run the command line; errors are one line and exit status 2."""
    failures.listen()
    allocator.keep_freed_memory()
    try:
        with console.only_rank_0():
            sys.exit(_run())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SystemExit as ended:
        if ended.code and console.rank():
            time.sleep(_COURTESY)
        raise
    except (Exception, failures.StoppedError) as error:  # noqa: BLE001 -- people are shown a line, not a traceback
        sys.exit(failures.tell(error))
