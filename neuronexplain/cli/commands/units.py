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
    proven: Annotated[
        bool, typer.Option("--proven", help="Only neurons whose names are more than chance: q at most 0.05.")
    ] = False,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List a layer's neurons: name, IoU, truth, q and counts. A neuron without a name still shows its best concept.

    Truth is the share of images that carry the best concept where the neuron is lit; q the rate of false names among
    those as sure.

    Example: neuronexplain units --db names.db --concept sky
    """
    from db import NameStore
    from db.records import require_evidence

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        listed = [store.unit(chosen, unit)] if unit is not None else store.dissection(chosen).units
        if concept is not None:
            named = store.units_named(chosen, concept, min_iou=min_iou)
            listed = [neuron for neuron in listed if neuron.number in named]
    if proven:
        require_evidence(chosen)
        listed = [neuron for neuron in listed if neuron.is_proven(min_iou)]
    rows = [_row(neuron, min_iou) for neuron in listed]
    columns = {"unit": "neuron", "name": "name", "category": "category", "iou": "IoU", "truth": "truth", "q": "q"}
    columns |= {"threshold": "threshold", "intersection": "intersection", "union": "union", "images": "images"}
    console.write_rows(rows, columns | {"best": "best concept"}, as_json=json, as_csv=csv)


def _row(unit: Unit, min_iou: float) -> console.Row:
    name, best, evidence = unit.name(min_iou), unit.best, unit.evidence
    truth = best.truth if best else None
    return {
        "unit": unit.number,
        "name": name.concept.spoken if name else None,
        "category": best.concept.category if best else None,
        "iou": best.iou if best else None,
        "truth": truth.precision if truth else None,
        "lit_images": truth.lit_images if truth else None,
        "hit_images": truth.hit_images if truth else None,
        "p": evidence.p if evidence else None,
        "q": evidence.q if evidence else None,
        "proven": unit.is_proven(min_iou),
        "threshold": unit.threshold if isfinite(unit.threshold) else None,  # an imported run has none
        "intersection": best.intersection if best else None,
        "union": best.union if best else None,
        "images": (best.images or None) if best else None,
        "best": best.concept.spoken if best else None,
    }
