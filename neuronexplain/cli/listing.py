"""Commands that ask a database: units, runs, concepts of a class, classes for a concept."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE

from . import console, options

if TYPE_CHECKING:
    from db.records import Run
    from dissection.vocabulary import Unit

    from .console import Row

Limit = Annotated[int, typer.Option("--limit", min=1, help="Rows of the table.")]

classes = typer.Typer(help="Ask which classes a concept matters for.", no_args_is_help=True)


def units(
    db: options.Db,
    unit: Annotated[int | None, typer.Option(help="Only this neuron.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only neurons of this name.")] = None,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List a layer's neurons: name, IoU and counts. A neuron without a name shows its best concept all the same.

    Example: neuronexplain units --db names.db --concept sky
    """
    from db import NameStore
    from neuronexplain.classes import normal

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        found = [store.unit(chosen, unit)] if unit is not None else store.dissection(chosen).units
    rows = [_unit_row(each, min_iou) for each in found]
    if concept is not None:
        rows = [row for row in rows if row["name"] is not None and normal(str(row["name"])) == normal(concept)]
    columns = {"unit": "neuron", "name": "name", "category": "category", "iou": "IoU", "threshold": "threshold"}
    columns |= {"intersection": "intersection", "union": "union", "images": "images", "best": "best concept"}
    console.write_rows(rows, columns, as_json=json, as_csv=csv)


def runs(db: options.Db, json: options.Json = False, csv: options.Csv = False) -> None:
    """List what a database holds.

    Example: neuronexplain runs --db names.db
    """
    from db import NameStore

    with NameStore.open(db) as store:
        rows = [_run_row(run, len(store.names(run, MIN_IOU))) for run in store.runs()]
    columns = {"run": "run", "network": "network", "layer": "layer", "units": "neurons", "named": "named"}
    columns |= {"concepts": "concepts", "images": "images", "quantile": "quantile", "created": "built"}
    console.write_rows(rows, columns, as_json=json, as_csv=csv)


def concepts_of(
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="A class: label, synonym or number.")],
    db: options.Db,
    rank_by: options.Ranking = "alpha",
    limit: Limit = 20,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the concepts that matter for a class, strongest first; those that speak against it come last.

    Alpha and contribution are means over the class's images, summed over the neurons of the concept.

    Example: neuronexplain concepts of beach --db names.db
    """
    from db import NameStore
    from db.records import require_built
    from neuronexplain.classes import find_class

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        require_built(chosen, "importances")
        index = find_class(chosen.classes, class_name)
        rows: list[Row] = [
            {
                "concept": found.concept.spoken,
                "category": found.concept.category,
                "alpha": found.alpha,
                "contribution": found.contribution,
                "iou": found.iou,
                "units": list(found.units),
            }
            for found in store.concepts_of(chosen, index, rank_by=rank_by, min_iou=min_iou)
        ]
        images = store.class_images(chosen)[index]
    columns = {"concept": "concept", "category": "category", "alpha": "alpha", "contribution": "contribution"}
    columns |= {"iou": "best IoU", "units": "neurons"}
    if not (json or csv):
        console.say(f"What matters for {chosen.classes[index]}, over {_evidence(images, chosen)}:")
    console.write_rows(rows if json or csv else console.ends(rows, limit), columns, as_json=json, as_csv=csv)
    if chosen.constant_alphas and not (json or csv):
        console.say("Alphas of this network are the same for every image; contributions are not.")


@classes.command("for")
def classes_for(
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="A name that some neuron bears.")],
    db: options.Db,
    rank_by: options.Ranking = "alpha",
    limit: Limit = 20,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the classes that a concept matters for, strongest first; those it speaks against come last.

    Example: neuronexplain classes for sky --db names.db
    """
    from db import NameStore

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        rows: list[Row] = [
            {
                "class": found.label,
                "index": found.index,
                "alpha": found.alpha,
                "contribution": found.contribution,
                "images": found.images,
                "units": list(found.units),
            }
            for found in store.classes_for(chosen, concept, rank_by=rank_by, min_iou=min_iou)
        ]
    columns = {"class": "class", "alpha": "alpha", "contribution": "contribution", "images": "images"}
    columns |= {"units": "neurons"}
    if not (json or csv):
        console.say(f"What {concept} matters for, over {chosen.evidence}:")
    console.write_rows(rows if json or csv else console.ends(rows, limit), columns, as_json=json, as_csv=csv)
    thin = sum(int(str(row["images"])) < THIN_EVIDENCE for row in rows)
    if thin and not (json or csv):
        console.say(f"{thin} of {len(rows)} classes rest on fewer than {THIN_EVIDENCE} images: thin evidence.")


def _unit_row(unit: Unit, min_iou: float) -> Row:
    name, best = unit.name(min_iou), unit.best
    return {
        "unit": unit.number,
        "name": name.concept.spoken if name else None,
        "category": best.concept.category if best else None,
        "iou": best.iou if best else None,
        "threshold": unit.threshold if isfinite(unit.threshold) else None,  # a run that was imported has none
        "intersection": best.intersection if best else None,
        "union": best.union if best else None,
        "images": (best.images or None) if best else None,
        "best": best.concept.spoken if best else None,
    }


def _run_row(run: Run, named: int) -> Row:
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


def _evidence(images: int, run: Run) -> str:
    thin = f"; thin evidence, fewer than {THIN_EVIDENCE}" if images < THIN_EVIDENCE else ""
    return f"{images} image{'' if images == 1 else 's'} ({run.evidence}{thin})"
