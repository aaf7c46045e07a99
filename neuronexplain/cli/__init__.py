"""The console script ``neuronexplain``: the only place that prints. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import sys
import traceback

import click
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
)
app.command("demo")(demonstration.demo)
app.command("build")(building.build)
app.command("explain")(explaining.explain)
app.command("units")(listing.units)
app.command("runs")(listing.runs)
app.add_typer(sets.concepts, name="concepts")
app.add_typer(listing.classes, name="classes")
sets.concepts.command("of")(listing.concepts_of)


def main() -> None:
    """Run the command line; errors are one line and exit status 2."""
    sys.exit(_run())


def _run() -> int:
    try:
        return int(typer.main.get_command(app).main(standalone_mode=False) or 0)
    except NeuronExplainError as error:
        return _fail(str(error))
    except click.exceptions.Abort:
        return _fail("interrupted; databases and finished files are as they were", status=130)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail("out of memory; a smaller --batch-size needs less")
    except OSError as error:
        return _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except Exception as error:  # noqa: BLE001 -- the last line of defence: people are shown a line, not a traceback
        if os.environ.get("NEURONEXPLAIN_DEBUG"):
            traceback.print_exc()
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _fail(f"{found}; this is a defect of NeuronExplain (NEURONEXPLAIN_DEBUG=1 shows where)", status=1)


def _fail(message: str, *, status: int = 2) -> int:
    sys.stderr.write(f"neuronexplain: {' '.join(message.split())}\n")
    return status
