"""``neuronexplain concepts show``: a page with pictures of a concept dataset."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.counts import count


def show(
    folder: options.ConceptFolder,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("concepts.html"),
    category: options.Category = None,
    pictures: Annotated[
        int, typer.Option("--each", min=1, max=24, help="Pictures of each concept, if there is room.")
    ] = 4,
) -> None:
    """Write a page with pictures of every concept: where it is, how often it appears and how much it covers.

    Example: neuronexplain concepts show my-concepts --out concepts.html
    """
    from dissection.concepts.census import census
    from dissection.concepts.layouts import open_concepts
    from neuronexplain.report.contact_page import write_sheet
    from neuronexplain.report.contact_sheet import contact_sheet

    dataset = open_concepts(folder)
    with console.progress() as progress:
        counts = census(dataset, progress=partial(progress, "looking at the labels"))
        sheet = contact_sheet(
            dataset,
            counts,
            category=category,
            each=pictures,
            progress=partial(progress, "drawing"),
        )
    write_sheet(out, sheet)
    console.say(f"Written to {out}: {count(sheet.pictures, 'picture')} of {count(sheet.shown, 'concept')}.")
    if sheet.each < sheet.wanted:
        console.say(f"To keep the page small, each has at most {sheet.each}; --category shows a single category.")
    if sheet.left_out:
        console.say(f"{count(sheet.left_out, 'concept')}, on the fewest images, without a picture.")
