"""``neuronexplain export``: names as files that another person can read, load and cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.counts import count
from neuronexplain.progress import counted


def export(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="names.json; names.csv, for people only; or a new folder.", show_default=False
        ),
    ],
    db: options.Db,
    run: Annotated[int | None, typer.Option("--run", help="Only this run; by default all.")] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="What others may do with the names, in your words; by default the concept data's licence."),
    ] = None,
) -> None:
    """Write a database's names as plain files.

    JSON holds everything except the pictures of exemplars; a folder holds those too, and tables. CSV is for people and
    cannot be imported. Of a path on this machine, only the last part is written.

    Example: neuronexplain export --db names.db --licence "CC BY 4.0" shared-names
    """
    from db import NameStore
    from db.exchange.plain_files import licence_of, write_csv, write_folder, write_json

    if licence and out.suffix.lower() == ".csv":
        options.refuse_ignored(["--licence"], "CSV has no place for it, and JSON or a folder has")
    with NameStore.open(db) as store, console.progress() as progress:
        if out.suffix.lower() == ".csv":
            chosen = [store.choose(run)]
            write_csv(out, store.whole(chosen[0]))
        else:
            chosen = store.runs() if run is None else [store.run(run)]
            write = write_json if out.suffix.lower() == ".json" else write_folder
            counted_runs = counted(map(store.whole, chosen), lambda done: progress("writing runs", done, len(chosen)))
            write(out, counted_runs, licence or licence_of(chosen))
    console.say(f"{count(len(chosen), 'run')} written to {out}.")
