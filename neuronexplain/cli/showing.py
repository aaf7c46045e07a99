"""``neuronexplain concepts find`` and ``show``: what a concept dataset looks like."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from . import console, options

Category = Annotated[str | None, typer.Option(help="Only concepts of this category.")]


def find(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A concept dataset.")],
    concept: Annotated[str, typer.Argument(metavar="CONCEPT", help="A concept: name, synonym or label number.")],
    category: Category = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows of the table.")] = 30,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """List the images that hold a concept, those that show most of it first.

    Example: neuronexplain concepts find my-concepts sky
    """
    from dissection.concepts.census import census
    from dissection.concepts.layouts import open_concepts
    from neuronexplain.concept_words import find_concept

    dataset = open_concepts(folder)
    wanted = find_concept(dataset, concept, category=category)
    with console.progress() as progress:
        found = census(dataset, progress=partial(progress, "looking for it"))
    support = found.support(wanted)
    about: console.Row = {"concept": wanted.spoken, "category": wanted.category, "number": wanted.number}
    rows: list[console.Row] = [
        {"image": dataset.image_name(image), "share": share, "pixels": pixels} | about
        for image, pixels, share in found.holders[wanted.number].listed()
    ]
    columns = {"image": "image", "share": "share of its pixels", "pixels": "pixels"}
    if json or csv:
        console.write_rows(rows, columns | dict(zip(about, about, strict=True)), as_json=json, as_csv=csv)
        return
    console.say(
        f"{wanted.spoken} ({wanted.category}, number {wanted.number}) is on {support.images} of {found.images} images "
        f"and covers {support.pixels / found.pixels:.2%} of all pixels."
    )
    if rows:
        console.write_rows(rows[:limit], columns, as_json=False, as_csv=False)
    if len(rows) > limit:
        console.say(f"{len(rows) - limit} more with --limit {len(rows)}.")


def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A concept dataset.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("concepts.html"),
    category: Category = None,
    each: Annotated[int, typer.Option(min=1, max=24, help="Pictures of each concept, where there is room.")] = 4,
) -> None:
    """Write a page with pictures of every concept: where it is, how often, and how much of it there is.

    Example: neuronexplain concepts show my-concepts --out concepts.html
    """
    from dissection.concepts.census import census
    from dissection.concepts.layouts import open_concepts
    from neuronexplain.report.contact_page import write_sheet
    from neuronexplain.report.contact_sheet import contact_sheet

    dataset = open_concepts(folder)
    with console.progress() as progress:
        found = census(dataset, progress=partial(progress, "looking at the labels"))
        sheet = contact_sheet(
            dataset,
            found,
            category=category,
            each=each,
            progress=partial(progress, "drawing"),
        )
    write_sheet(out, sheet)
    concepts = "concept" if sheet.shown == 1 else "concepts"
    console.say(f"Written to {out}: {sheet.pictures} pictures of {sheet.shown} {concepts}.")
    if sheet.each < sheet.wanted:
        console.say(f"To keep the page small, each has at most {sheet.each}; --category shows one category alone.")
    if sheet.left_out:
        console.say(f"{sheet.left_out} concepts on the fewest images have none.")
