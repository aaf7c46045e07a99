"""``neuronexplain --version``."""

from __future__ import annotations

from typing import Annotated

import typer

from . import console


def _show(is_asked: bool) -> bool:
    if is_asked:
        from importlib.metadata import version

        console.say(f"neuronexplain {version('neuronexplain')}")
        raise typer.Exit
    return is_asked


def show_version(
    version: Annotated[
        bool, typer.Option("--version", callback=_show, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep typer from taking this function's documentation for the program's."""


show_version.__doc__ = None
