"""``neuronexplain units``: a layer's neurons and their names."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from dissection.vocabulary import Unit


def units(
    db: options.Db,
    unit: Annotated[int | None, typer.Option(help="Only this neuron.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only neurons of this name.")] = None,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List a layer's neurons: name, IoU and counts. A neuron without a name still shows its best concept.

    Example: neuronexplain units --db names.db --concept sky
    """
    from db import NameStore
    from neuronexplain.classes import normal

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        listed = [store.unit(chosen, unit)] if unit is not None else store.dissection(chosen).units
    rows = [_row(neuron, min_iou) for neuron in listed]
    if concept is not None:
        rows = [row for row in rows if row["name"] is not None and normal(str(row["name"])) == normal(concept)]
    columns = {"unit": "neuron", "name": "name", "category": "category", "iou": "IoU", "threshold": "threshold"}
    columns |= {"intersection": "intersection", "union": "union", "images": "images", "best": "best concept"}
    console.write_rows(rows, columns, as_json=json, as_csv=csv)


def _row(unit: Unit, min_iou: float) -> console.Row:
    name, best = unit.name(min_iou), unit.best
    return {
        "unit": unit.number,
        "name": name.concept.spoken if name else None,
        "category": best.concept.category if best else None,
        "iou": best.iou if best else None,
        "threshold": unit.threshold if isfinite(unit.threshold) else None,  # an imported run has none
        "intersection": best.intersection if best else None,
        "union": best.union if best else None,
        "images": (best.images or None) if best else None,
        "best": best.concept.spoken if best else None,
    }
