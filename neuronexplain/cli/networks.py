"""``neuronexplain networks``, ``layers`` and ``weights convert``: what can be dissected, and making weights safe."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console, options

if TYPE_CHECKING:
    from dissection.networks.layers import FeatureMap

_MANY, _FEW = 100, 8

weights = typer.Typer(help="Weights files.", no_args_is_help=True)


def networks(json: options.Json = False) -> None:
    """List the networks that --network takes, by where they come from.

    Example: neuronexplain networks
    """
    from dissection.networks.catalogue import catalogue

    shelves = catalogue()
    if json:
        console.write_json([asdict(shelf) for shelf in shelves])
        return
    for shelf in shelves:
        needed = f"; needs pip install 'neuronexplain[{shelf.extra}]'" if shelf.extra and not shelf.installed else ""
        console.say(f"{shelf.source} (weights: {shelf.weights}{needed})")
        shown = shelf.names if len(shelf.names) <= _MANY else shelf.names[:_FEW]
        more = f", … ({len(shelf.names)} of them; --json lists all)" if len(shelf.names) > len(shown) else ""
        console.say_wrapped(", ".join(shown) + more)


def layers(
    network: options.NetworkName,
    weights: options.Weights = None,
    input_size: options.InputSize = None,
    channels: options.Channels = None,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """List the layers that could be dissected: units, map, receptive field, and which one is the default.

    The receptive field is the height in pixels that a cell in the middle of the map can see. It is found by making the
    rest of the image unknown, not by a formula; "image" means all of it. A torchvision network is looked at before any
    training, so that nothing has to be fetched.

    Example: neuronexplain layers --network resnet18
    """
    from dissection.networks.layers import feature_maps
    from dissection.networks.opening import open_architecture, open_network
    from dissection.networks.receptive_field import receptive_fields

    with console.bytes_progress() as progress:
        look = partial(open_network, weights=weights) if weights else open_architecture
        opened = look(
            network,
            input_size=input_size,
            channels=channels,
            output=output,
            progress=partial(progress, "fetching the weights"),
        )
    preprocessing = opened.preprocessing
    found = feature_maps(opened.module, preprocessing.size, preprocessing.channels)
    with console.progress() as progress:
        told = partial(progress, "looking at what layers see")
        fields = receptive_fields(opened, [each.layer for each in found], progress=told)
    default = opened.layer.name
    rows = [_row(each, field, default) for each, field in zip(found, fields, strict=True)]
    if json:
        console.write_json(rows)
        return
    height, width = preprocessing.size
    console.say(f"{opened.name}, images of {height} x {width}:")
    columns = {"layer": "layer", "units": "units", "map": "map", "field": "sees", "rectified": "rectified", "mark": ""}
    shown = [
        row
        | {"map": f"{row['height']} x {row['width']}", "rectified": "yes" if row["rectified"] else "no"}
        | {"field": row["receptive_field"], "mark": "default" if row["default"] else ""}
        for row in rows
    ]
    console.write_rows(shown, columns, as_json=False, as_csv=False)


@weights.command("convert")
def convert(
    source: Annotated[Path, typer.Argument(metavar="OLD", help="A checkpoint that torch.save wrote.")],
    target: Annotated[Path, typer.Argument(metavar="NEW", help="The safetensors file to write.")],
) -> None:
    """Take the weights out of a pickled checkpoint, or a whole pickled model, without running anything in it.

    Example: neuronexplain weights convert resnet18_places365.pth.tar resnet18.safetensors
    """
    from dissection.networks.pickled_weights import convert as write

    count = write(source, target)
    console.say(f"{count} tensors written to {target}. Next: neuronexplain build --weights {target} …")


def _row(found: FeatureMap, field: int | None, default: str) -> console.Row:
    layer = found.layer
    return {
        "layer": layer.name,
        "units": layer.units,
        "height": layer.height,
        "width": layer.width,
        "receptive_field": "image" if field is None else field,
        "rectified": found.rectified,
        "default": layer.name == default,
    }
