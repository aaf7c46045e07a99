"""``neuronexplain concepts join``: joins several concept datasets into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dissection.vocabulary import MIN_IMAGES
from neuronexplain.cli import console, options

from .convert import Destination, LabelSize, LeastImages, Size, write


def join(
    sources: Annotated[list[Path], typer.Argument(metavar="SRC...", help="Concept datasets, converted or with masks.")],
    target: Destination,
    synonyms: Annotated[
        str, typer.Option(help="CSV table from,to of synonyms, or none; by default the table in the package.")
    ] = "",
    size: Size = 224,
    label_size: LabelSize = 112,
    min_images: LeastImages = MIN_IMAGES,
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
    tell = console.note if json else console.say
    if joined.replaced:
        words = ", ".join(f"{word} = {synonym}" for word, synonym in joined.replaced.items())
        tell(f"Merged: {words}, according to {synonyms or SYNONYMS}.")
    if joined.merged:
        words = "; ".join(f"{', '.join(names)} = {name}" for name, names in joined.merged.items())
        tell(f"Several concepts of one dataset became one: {words}. To keep them apart, rename them there.")
