"""``neuronexplain concepts convert``: converts a published dataset into the layout that build reads."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IMAGES
from neuronexplain.cli import console, options
from neuronexplain.counts import count

if TYPE_CHECKING:
    from dissection.concepts.conversion import Summary
    from dissection.concepts.dataset import ConceptDataset

Destination = Annotated[Path, typer.Argument(metavar="DST", help="New folder, for the Broden layout.")]
Size = Annotated[int, typer.Option(min=1, help="Side of the photographs, in pixels.")]
LabelSize = Annotated[int, typer.Option(min=1, help="Side of the label maps, in pixels.")]
LeastImages = Annotated[int, typer.Option(min=0, help="Leave out concepts on fewer images than this.")]


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The dataset, as published.")],
    target: Destination,
    layout: Annotated[str, typer.Option("--from", help="Layout of SRC; concepts kinds lists all.")] = "masks",
    size: Size = 224,
    label_size: LabelSize = 112,
    min_images: LeastImages = MIN_IMAGES,
    photographs: Annotated[str, typer.Option(metavar="COLUMN", help="hf: the column of photographs.")] = "",
    masks: Annotated[str, typer.Option(metavar="COLUMN", help="hf: the column of masks.")] = "",
    json: options.Json = False,
) -> None:
    """Convert a published dataset, or your own masks, into the Broden layout.

    The same command resumes an interrupted conversion.

    Example: neuronexplain concepts convert --from coco-panoptic coco my-concepts
    """
    from dissection.concepts import formats

    columns = {role: column for role, column in (("photographs", photographs), ("masks", masks)) if column}
    dataset = formats.find_format(layout).open(source, label_size=label_size, columns=columns)
    write(dataset, target, size=size, label_size=label_size, min_images=min_images, json=json)


def write(dataset: ConceptDataset, target: Path, *, size: int, label_size: int, min_images: int, json: bool) -> None:
    """Convert a dataset, with progress, and say what was written."""
    from dissection.concepts.conversion import convert
    from dissection.concepts.notes import remarks_of

    with console.progress() as progress:
        summary = convert(
            dataset,
            target,
            size=size,
            label_size=label_size,
            min_images=min_images,
            progress=partial(progress, "converting"),
        )
    if json:
        console.write_json({**summary_values(summary, target), "remarks": list(remarks_of(dataset))})
        return
    for remark in remarks_of(dataset):
        console.say(remark)
    say_summary(summary, target)


def say_summary(summary: Summary, target: Path) -> None:
    """Say what was written, and what to do next."""
    columns = {"category": "category", "images": "images", "concepts": "concepts", "pixels": "pixels"}
    images, concepts = count(summary.images, "image"), count(summary.concepts, "concept")
    console.say(f"{images}, {concepts}, {len(summary.dropped)} left out.")
    console.write_rows([asdict(total) for total in summary.categories], columns, as_json=False, as_csv=False)
    console.say(f"Written to {target}. Next: neuronexplain build --concepts {target} …")


def summary_values(summary: Summary, target: Path) -> dict[str, object]:
    """What was written, as JSON."""
    return {
        "folder": str(target),
        "images": summary.images,
        "concepts": summary.concepts,
        "categories": [asdict(total) for total in summary.categories],
        "dropped": [
            {"name": support.concept.spoken, "category": support.concept.category, "images": support.images}
            for support in summary.dropped
        ],
    }
