"""``neuronexplain concepts of``: the concepts that matter for a class."""

from __future__ import annotations

from typing import Annotated

import typer

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE
from neuronexplain.cli import class_answers, console, options


def concepts_of(
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="A class: label, synonym or number.")],
    db: options.Db,
    rank_by: options.ClassRanking = None,
    limit: options.Rows = None,
    min_iou: options.MinIou = MIN_IOU,
    run: options.RunNumber = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the concepts that matter for a class, strongest first; those that speak against it come last.

    All numbers are means over the class's images. A lit contribution is also a mean over the concept's neurons; alpha
    and contribution are summed over them.

    Example: neuronexplain concepts of beach --db names.db
    """
    from db import NameStore
    from db.records import require_built
    from neuronexplain.classes import find_class
    from neuronexplain.listings import list_concepts_of

    with NameStore.open(db) as store:
        chosen = store.choose(run)
        require_built(chosen, "importances")
        index = find_class(chosen.classes, class_name)
        images = store.class_images(chosen).get(index, 0)
        rows = list_concepts_of(store, chosen, index, rank_by=rank_by, min_iou=min_iou)
    label, for_people = chosen.classes[index], not (json or csv)
    counted = f"{images} image{'' if images == 1 else 's'}"
    if images < THIN_EVIDENCE and for_people:
        console.say(
            f"Thin evidence: {counted} of {label}, fewer than {THIN_EVIDENCE}. Build with --class-images, a folder of "
            "images per class, for more."
        )
    if for_people:
        console.say(f"What matters for {label}, over {counted} ({chosen.evidence}):")
    class_answers.say_ranking(chosen, rows, is_default=rank_by is None, for_people=for_people)
    columns = {"concept": "concept", "category": "category", **class_answers.HEADINGS, "iou": "best IoU"}
    shown = console.shown(rows, limit, for_people=for_people)
    spare = ("contribution", "alpha", "category")
    console.write_rows(shown, columns | {"units": f"{chosen.layer.noun}s"}, as_json=json, as_csv=csv, spare=spare)
    if chosen.constant_alphas and for_people:
        console.say("Alphas of this network are the same for every image; contributions are not.")
