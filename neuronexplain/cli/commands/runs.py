"""``neuronexplain runs``: what a database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from db.records import Run


def runs(db: options.Db, json: options.Json = False, csv: options.Csv = False) -> None:
    """List what a database holds.

    Example: neuronexplain runs --db names.db
    """
    from db import NameStore

    with NameStore.open(db) as store:
        rows = [_row(run, len(store.names(run, MIN_IOU))) for run in store.runs()]
    columns = {"run": "run", "network": "network", "layer": "layer", "units": "neurons", "named": "named"}
    columns |= {"concepts": "concepts", "images": "images", "quantile": "quantile", "created": "built"}
    console.write_rows(rows, columns, as_json=json, as_csv=csv)


def _row(run: Run, named: int) -> console.Row:
    return {
        "run": run.id,
        "network": run.network,
        "layer": run.layer.name,
        "units": run.layer.units,
        "named": named,
        "concepts": run.concepts,
        "images": run.images or None,
        "quantile": run.key.quantile,
        "created": f"{run.created:%F %R}",
        "fingerprint": run.key.network,
        "source": dict(run.source),
    }
