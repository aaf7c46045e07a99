"""``neuronexplain runs``: what a database holds."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli import console, failures, options


def runs(
    context: typer.Context,
    db: Annotated[str | None, typer.Option("--db", help="The database: a file, or an SQLAlchemy URL.")] = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List what a database holds, and what sets runs of the same network apart; or delete runs.

    Example: neuronexplain runs --db names.db
    """
    if context.invoked_subcommand is not None:
        if db is not None:
            context.default_map = {context.invoked_subcommand: {"db": db}}
        return
    if db is None:
        raise failures.UsageError("Missing option '--db'.", context)
    from db import NameStore
    from dissection.vocabulary import common_noun
    from neuronexplain.listings import list_runs

    with NameStore.open(db) as store:
        rows, noun = list_runs(store), common_noun(run.layer for run in store.runs())
    columns = {"run": "run", "network": "network", "layer": "layer", "units": f"{noun}s", "named": "named"}
    columns |= {"concepts": "concepts", "images": "images", "quantile": "quantile", "created": "built"}
    if any(row["differs"] for row in rows):
        columns |= {"differs": "what differs"}
    if not json:
        rows = [row | {"differs": _phrase(row["differs"])} for row in rows]
    console.write_rows(rows, columns, as_json=json, as_csv=csv, spare=("quantile", "images", "created", "concepts"))


def _phrase(differs: object) -> str:
    return "; ".join(f"{name} {value}" for name, value in differs.items()) if isinstance(differs, dict) else ""
