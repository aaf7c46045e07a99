"""``neuronexplain dictionary check``: how much of a network a dictionary holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.groups import NetworkSettings, grouped


@grouped
def check(
    *,
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="A dictionary; and others to compare it with, such as of another seed."),
    ],
    network: options.NetworkName,
    concepts: Annotated[Path, typer.Option(help="Folder with photographs, as for build; best other ones.")],
    weights: options.Weights = None,
    ema: options.Ema = False,
    layer: Annotated[str | None, typer.Option(help="Layer of the dictionary, if its folder does not name it.")] = None,
    settings: NetworkSettings,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")] = None,
    batch_size: options.BatchSize = 16,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Tell how much of a layer's maps features make up, how often predictions stay without the rest, and what is dead.

    Example: neuronexplain dictionary check features --network vgg16 --concepts photographs
    """
    from dataclasses import asdict

    from dissection.concepts.layouts import open_concepts
    from dissection.execution.settings import Execution
    from dissection.learning.checking import check_dictionary, likeness
    from dissection.networks.dictionaries.folders import read_dictionary

    dictionaries = [read_dictionary(folder) for folder in folders]
    first, *others = dictionaries
    dataset = open_concepts(concepts, limit=limit)
    opened = settings.open(network, weights=weights, ema=ema, layer=layer or first.layer or None, device=device)
    with console.progress() as progress:
        execution = Execution(batch_size=batch_size, progress=progress)
        checks = [check_dictionary(opened, dictionary, dataset, execution) for dictionary in dictionaries]
    compared = [likeness(first, other) for other in others]
    if json:
        alike = [None, *(asdict(pair) for pair in compared)]
        rows = zip(folders, checks, alike, strict=True)
        console.write_json(
            [{"dictionary": str(folder), **asdict(row), "like_the_first": pair} for folder, row, pair in rows]
        )
        return
    for folder, row in zip(folders, checks, strict=True):
        console.say(
            f"{folder}: {row.features} features, {row.active:.1f} at a place; {row.dead} are at none in "
            f"{row.images} images."
        )
        console.say(
            f"  They make up {row.r2:.1%} of the variance of {opened.layer.name}; without the rest, "
            f"{row.agreement:.1%} of predictions stay."
        )
    for folder, pair in zip(folders[1:], compared, strict=True):
        console.say(
            f"{folders[0]} and {folder}: cosine {pair.cosine:.2f} on average, {pair.alike:.0%} of features alike."
        )
