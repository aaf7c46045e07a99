"""``neuronexplain units``: a layer's neurons and their names."""

from __future__ import annotations

from typing import Annotated

import typer

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console, options


def units(
    db: options.Db,
    unit: Annotated[int | None, typer.Option(help="Only this neuron.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only neurons of this name.")] = None,
    proven: Annotated[
        bool, typer.Option("--proven", help="Only neurons whose names are more than chance: q at most 0.05.")
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked",
            help="Show the formula that the search found for each neuron, whether held-out images bear it out or not.",
        ),
    ] = False,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List a layer's neurons, or features: name, IoU, truth, q and counts. Without a name, the best concept is shown.

    Truth is the share of images that carry the best concept where the neuron is lit; q the rate of false names among
    those as sure. A formula of several concepts is shown where the build looked for them and it holds on images that it
    was not searched on, with its IoU on these.

    Example: neuronexplain units --db names.db --concept sky
    """
    from db import NameStore
    from db.records import require_evidence, require_formulas
    from neuronexplain.listings import unchecked_row, unit_row

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        listed = [store.unit(chosen, unit)] if unit is not None else store.dissection(chosen).units
        if concept is not None:
            named = store.units_named(chosen, concept, min_iou=min_iou)
            listed = [neuron for neuron in listed if neuron.number in named]
    if proven:
        require_evidence(chosen)
        listed = [neuron for neuron in listed if neuron.is_proven(min_iou)]
    rows = [unit_row(neuron, min_iou) for neuron in listed]
    formulas = {"formula": "formula", "formula_iou": "held-out IoU"}
    if unchecked:
        require_formulas(chosen)
        rows = [row | unchecked_row(neuron.unchecked) for row, neuron in zip(rows, listed, strict=True)]
        formulas = {"formula": "unchecked formula", "searched_iou": "searched IoU", "formula_iou": "held-out IoU"}
        formulas |= {"accepted": "accepted"}
        console.note(
            "Unchecked: each formula is the best of a search on half of the images, as compositional explanations are "
            "usually found; those that are not accepted do not hold on the other half."
        )
    columns = {
        "unit": chosen.layer.noun,
        "name": "name",
        "category": "category",
        "iou": "IoU",
        "truth": "truth",
        "q": "q",
    }
    columns |= {"threshold": "threshold", "intersection": "intersection", "union": "union", "images": "images"}
    if chosen.key.length > 1:
        columns |= formulas
    spare = ("union", "intersection", "threshold", "images", "category", "best")
    console.write_rows(rows, columns | {"best": "best concept"}, as_json=json, as_csv=csv, spare=spare)
