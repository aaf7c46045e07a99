"""``neuronexplain concepts find``: the images that hold a concept."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from neuronexplain.cli import console, options


def find(
    folder: options.ConceptFolder,
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="A concept: name, synonym or label number.")],
    category: options.Category = None,
    limit: options.Rows = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the images that hold a concept, starting with those that show most of it.

    Example: neuronexplain concepts find my-concepts sky
    """
    from dissection.concepts.census import census
    from dissection.concepts.layouts import open_concepts
    from neuronexplain.concept_words import find_concept

    dataset = open_concepts(folder)
    match = find_concept(dataset, concept, category=category)
    with console.progress() as progress:
        counts = census(dataset, progress=partial(progress, "looking for the concept"))
    support = counts.support(match)
    identity: console.Row = {"concept": match.spoken, "category": match.category, "number": match.number}
    rows: list[console.Row] = [
        {"image": dataset.image_name(image), "share": share, "pixels": pixels} | identity
        for image, pixels, share in counts.holders[match.number].listed()
    ]
    columns = {"image": "image", "share": "share of its pixels", "pixels": "pixels"}
    shown = rows[: console.row_limit(rows, limit, for_people=not (json or csv))]
    if json or csv:
        console.write_rows(shown, columns | dict(zip(identity, identity, strict=True)), as_json=json, as_csv=csv)
        return
    console.say(
        f"{match.spoken} ({match.category}, number {match.number}) is on {support.images} of {counts.images} images "
        f"and covers {support.pixels / counts.pixels:.2%} of all pixels."
    )
    if rows:
        console.write_rows(shown, columns, as_json=False, as_csv=False)
    if len(rows) > len(shown):
        console.say(f"{len(rows) - len(shown)} more with --limit {len(rows)}.")
