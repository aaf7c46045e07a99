"""``neuronexplain classes for``: the classes that a concept matters for."""

from __future__ import annotations

from typing import Annotated

import typer

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE
from neuronexplain.cli import class_answers, console, options


def classes_for(
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="A concept that neurons are named after.")],
    db: options.Db,
    rank_by: options.ClassRanking = None,
    limit: options.Rows = None,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the classes that a concept matters for, strongest first; those that it speaks against come last.

    A lit contribution is a mean over the concept's neurons; alpha and contribution are summed over them.

    Example: neuronexplain classes for sky --db names.db
    """
    from db import NameStore
    from neuronexplain.listings import list_classes_for

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        rows = list_classes_for(store, chosen, concept, rank_by=rank_by, min_iou=min_iou)
    for_people = not (json or csv)
    thin = sum(row["thin"] is True for row in rows)
    if thin and for_people:
        console.say(
            f"{thin} of {len(rows)} classes rest on fewer than {THIN_EVIDENCE} images and are marked: build with "
            "--class-images, a folder of images per class, for more."
        )
    if for_people:
        console.say(f"What {concept} matters for, over {chosen.evidence}:")
    class_answers.say_ranking(chosen, rows, is_default=rank_by is None, for_people=for_people)
    columns = {
        "class": "class",
        **class_answers.HEADINGS,
        "images": "images",
        "mark": "",
        "units": f"{chosen.layer.noun}s",
    }
    shown = console.shown(rows, limit, for_people=for_people)
    if for_people:
        shown = [row | {"mark": "thin" if row["thin"] else None} for row in shown]
    console.write_rows(shown, columns, as_json=json, as_csv=csv, spare=("contribution", "alpha"))
