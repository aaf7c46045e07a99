"""``neuronexplain concepts of``: the concepts that matter for a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE
from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from db.records import Run


def concepts_of(
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="A class: label, synonym or number.")],
    db: options.Db,
    rank_by: options.Ranking = "alpha",
    limit: options.Rows = 20,
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
        rows: list[console.Row] = [
            {
                "concept": answer.concept.spoken,
                "category": answer.concept.category,
                "alpha": answer.alpha,
                "contribution": answer.contribution,
                "iou": answer.iou,
                "units": list(answer.units),
            }
            for answer in store.concepts_of(chosen, index, rank_by=rank_by, min_iou=min_iou)
        ]
        images = store.class_images(chosen)[index]
    columns = {"concept": "concept", "category": "category", "alpha": "alpha", "contribution": "contribution"}
    columns |= {"iou": "best IoU", "units": "neurons"}
    for_people = not (json or csv)
    if for_people:
        console.say(f"What matters for {chosen.classes[index]}, over {_evidence(images, chosen)}:")
    console.write_rows(console.ends(rows, limit) if for_people else rows, columns, as_json=json, as_csv=csv)
    if chosen.constant_alphas and for_people:
        console.say("Alphas of this network are the same for every image; contributions are not.")


def _evidence(images: int, run: Run) -> str:
    thin = f"; thin evidence, fewer than {THIN_EVIDENCE}" if images < THIN_EVIDENCE else ""
    return f"{images} image{'' if images == 1 else 's'} ({run.evidence}{thin})"
