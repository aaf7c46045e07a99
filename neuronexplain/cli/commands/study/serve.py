"""``neuronexplain study serve``: asks a study's questions in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, signals

if TYPE_CHECKING:
    from neuronexplain.studies.human.ratings import Raters


def serve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study.")],
    host: Annotated[str, typer.Option(help="The address to listen at; by default only this machine reaches it.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="A name by which the server may be addressed, behind a proxy (repeatable)."),
    ] = None,
    contact: Annotated[str, typer.Option(help="Who asks, and how to reach them: shown before anyone consents.")] = "",
    played: Annotated[
        bool, typer.Option("--played", help="The raters are programs; their ratings are kept apart and marked.")
    ] = False,
) -> None:
    """Ask a study's questions in a browser; ratings are kept in the study's folder.

    Example: neuronexplain study serve study --contact "Ada, ada@example.org"
    """
    from neuronexplain.studies.human.folder import open_study, require_pictures
    from neuronexplain.studies.human.ratings import Ratings

    try:
        from neuronexplain.web.server import listen
        from neuronexplain.web.server import serve as run
        from neuronexplain.web.study import study_app
    except ModuleNotFoundError as error:
        raise NeuronExplainError(
            f"the pages need the package {error.name!r}: install them with `pip install 'neuronexplain[web]'`"
        ) from None
    study = open_study(folder)
    require_pictures(study)
    raters: Raters = "played" if played else "people"
    with Ratings(study, raters) as ratings, listen(host, port) as at:
        turnout = ratings.turnout
        app = study_app(ratings, contact=contact, hosts=[host, *(allow_host or ())])
        address, number = at.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        whose = "played raters" if played else "people"
        console.say(f"{turnout.ratings} of {turnout.needed} ratings of {whose} so far.")
        console.say(f"The study is at http://{shown}:{number} (Ctrl-C stops it)")
        try:
            run(app, at)
        except signals.StoppedError:
            console.note("Stopped; every rating is kept, and the same command goes on.")
