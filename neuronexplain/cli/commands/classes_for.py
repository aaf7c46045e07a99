"""``neuronexplain classes for``: the classes that a concept matters for."""

from __future__ import annotations

from typing import Annotated

import typer

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE
from neuronexplain.cli import console, options


def classes_for(
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="A concept that neurons are named after.")],
    db: options.Db,
    rank_by: options.Ranking = "alpha",
    limit: options.Rows = 20,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the classes that a concept matters for, strongest first; those that it speaks against come last.

    Example: neuronexplain classes for sky --db names.db
    """
    from db import NameStore

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        rows: list[console.Row] = [
            {
                "class": answer.label,
                "index": answer.index,
                "alpha": answer.alpha,
                "contribution": answer.contribution,
                "images": answer.images,
                "units": list(answer.units),
            }
            for answer in store.classes_for(chosen, concept, rank_by=rank_by, min_iou=min_iou)
        ]
    columns = {"class": "class", "alpha": "alpha", "contribution": "contribution", "images": "images"}
    columns |= {"units": "neurons"}
    for_people = not (json or csv)
    if for_people:
        console.say(f"What {concept} matters for, over {chosen.evidence}:")
    console.write_rows(console.ends(rows, limit) if for_people else rows, columns, as_json=json, as_csv=csv)
    thin = sum(int(str(row["images"])) < THIN_EVIDENCE for row in rows)
    if thin and for_people:
        console.say(f"{thin} of {len(rows)} classes rest on fewer than {THIN_EVIDENCE} images: thin evidence.")
