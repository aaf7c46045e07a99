"""``neuronexplain concepts convert``, ``join`` and ``kinds``: published datasets into the layout that build reads."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IMAGES

from . import console, options

if TYPE_CHECKING:
    from dissection.concepts.conversion import Summary
    from dissection.concepts.dataset import ConceptDataset

Target = Annotated[Path, typer.Argument(metavar="DST", help="New folder, for the Broden layout.")]
Size = Annotated[int, typer.Option(min=1, help="Side of the photographs, in pixels.")]
LabelSize = Annotated[int, typer.Option(min=1, help="Side of the label maps, in pixels.")]
MinImages = Annotated[int, typer.Option(min=0, help="Leave out concepts on fewer images.")]


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The dataset, as it was published.")],
    target: Target,
    kind: Annotated[str, typer.Option("--from", help="What SRC is; concepts kinds lists all.")] = "masks",
    size: Size = 224,
    label_size: LabelSize = 112,
    min_images: MinImages = MIN_IMAGES,
    photographs: Annotated[str, typer.Option(metavar="COLUMN", help="hf: the column of photographs.")] = "",
    masks: Annotated[str, typer.Option(metavar="COLUMN", help="hf: the column of masks.")] = "",
    json: options.Json = False,
) -> None:
    """Convert a published dataset, or your own masks, into the Broden layout.

    The same command again goes on with a conversion that was interrupted.

    Example: neuronexplain concepts convert --from coco-panoptic coco my-concepts
    """
    from dissection.concepts import formats

    columns = {what: column for what, column in (("photographs", photographs), ("masks", masks)) if column}
    dataset = formats.find_format(kind).open(source, label_size=label_size, columns=columns)
    write(dataset, target, size=size, label_size=label_size, min_images=min_images, json=json)


def kinds(json: options.Json = False, csv: options.Csv = False) -> None:
    """List what concepts convert --from reads.

    Example: neuronexplain concepts kinds
    """
    from dissection.concepts.formats import FORMATS

    rows: list[console.Row] = [{"kind": kind.name, "reads": kind.description} for kind in FORMATS.values()]
    console.write_rows(rows, {"kind": "--from", "reads": "reads"}, as_json=json, as_csv=csv)


def join(
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="Concept datasets, converted or with masks.")],
    target: Target,
    synonyms: Annotated[
        str, typer.Option(help="CSV table from,to of words for the same, or none; by default the package's own.")
    ] = "",
    size: Size = 224,
    label_size: LabelSize = 112,
    min_images: MinImages = MIN_IMAGES,
    json: options.Json = False,
) -> None:
    """Join several concept datasets into one, with one vocabulary.

    Example: neuronexplain concepts join my-coco my-masks my-concepts
    """
    from dissection.concepts.joining import Joined
    from dissection.concepts.layouts import open_sized
    from dissection.concepts.synonyms import SYNONYMS, read_synonyms

    table = {} if synonyms == "none" else read_synonyms(Path(synonyms) if synonyms else SYNONYMS)
    joined = Joined([open_sized(source, label_size=label_size) for source in sources], table)
    write(joined, target, size=size, label_size=label_size, min_images=min_images, json=json)
    if joined.replaced and not json:
        said = ", ".join(f"{word} = {instead}" for word, instead in joined.replaced.items())
        console.say(f"Taken for one: {said}, by {synonyms or SYNONYMS}.")


def write(dataset: ConceptDataset, target: Path, *, size: int, label_size: int, min_images: int, json: bool) -> None:
    """Convert a dataset, with progress, and say what was written."""
    from dissection.concepts.conversion import convert

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
        console.write_json(_values(summary, target))
        return
    columns = {"category": "category", "images": "images", "concepts": "concepts", "pixels": "pixels"}
    console.say(f"{summary.images} images, {summary.concepts} concepts, {len(summary.dropped)} left out.")
    console.write_rows([asdict(total) for total in summary.categories], columns, as_json=False, as_csv=False)
    console.say(f"Written to {target}. Next: neuronexplain build --concepts {target} …")


def _values(summary: Summary, target: Path) -> dict[str, object]:
    return {
        "folder": str(target),
        "images": summary.images,
        "concepts": summary.concepts,
        "categories": [asdict(total) for total in summary.categories],
        "dropped": [
            {"name": each.concept.spoken, "category": each.concept.category, "images": each.images}
            for each in summary.dropped
        ],
    }
