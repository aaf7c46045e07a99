"""``neuronexplain serve``: the database and its network in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, options, signals


def serve(
    db: options.Db,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at; the default is reached from this machine only.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name by which browsers may address it, as behind a proxy (repeatable)."),
    ] = None,
    audits: Annotated[
        Path | None, typer.Option(help="Folder of audits' pages: 'audit … --out FOLDER/NAME' writes one.")
    ] = None,
    network: options.NetworkNow = None,
    weights: options.Weights = None,
    ema: options.Ema = False,
    dictionary: options.DictionaryNow = None,
    device: options.Device = "cpu",
) -> None:
    """Explain photographs and look at runs, classes, concepts and neurons in a browser, until it is stopped by Ctrl-C.

    The database is only read. There is no login: whoever reaches the address may ask.

    Example: neuronexplain serve --db names.db
    """
    from db import NameStore

    if audits is not None and not audits.is_dir():
        raise NeuronExplainError(f"{audits} is not a folder; name one that audits wrote their pages into")
    require_web()
    from neuronexplain.web.app import names_app
    from neuronexplain.web.explaining import NetworkPlace
    from neuronexplain.web.server import address_of, listen
    from neuronexplain.web.server import serve as run

    with NameStore.open(db) as store, listen(host, port) as at:
        place = NetworkPlace(network, weights, ema, device, dictionary)
        app = names_app(store, place, hosts=[host, *(allow_host or ())], audit_folder=audits)
        console.say(f"{db} is at {address_of(at)} (Ctrl-C stops it)")
        try:
            run(app, at)
        except signals.StoppedError:
            console.note("Stopped; the database is unchanged.")


def require_web() -> None:
    """Check that the web extra is installed.

    Raises:
        NeuronExplainError: if not; the message says how to install it.
    """
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise NeuronExplainError(
            f"a web application needs the package {error.name!r}: pip install 'neuronexplain[web]'"
        ) from None
