"""``neuronexplain layers``: the layers of a network that can be dissected."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from neuronexplain.cli import console, options

if TYPE_CHECKING:
    from dissection.networks.layers import FeatureMap


def layers(
    network: options.NetworkName,
    weights: options.Weights = None,
    ema: options.Ema = False,
    input_size: options.InputSize = None,
    channels: options.Channels = None,
    output: options.Output = None,
    json: options.Json = False,
) -> None:
    """List the layers that can be dissected: units, map, receptive field, and which one is the default.

    The receptive field is the height in pixels that a cell in the middle of the map can see. It is measured by making
    the rest of the image unknown, not computed by a formula; "image" means the whole image. A torchvision network is
    inspected untrained, so that nothing has to be fetched.

    Example: neuronexplain layers --network resnet18
    """
    from dissection.networks.opening import open_architecture, open_network
    from dissection.networks.receptive_field import receptive_fields

    with console.bytes_progress() as progress:
        open_function = partial(open_network, weights=weights, ema=ema) if weights or ema else open_architecture
        opened = open_function(
            network,
            input_size=input_size,
            channels=channels,
            output=output,
            progress=partial(progress, "fetching the weights"),
        )
    preprocessing = opened.preprocessing
    maps = opened.feature_maps()
    with console.progress() as progress:
        fields = receptive_fields(
            opened.reading(maps),
            [feature_map.layer for feature_map in maps],
            progress=partial(progress, "looking at what layers see"),
        )
    default = opened.layer.name
    rows = [_row(feature_map, field, default) for feature_map, field in zip(maps, fields, strict=True)]
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


def _row(feature_map: FeatureMap, field: int | None, default: str) -> console.Row:
    layer = feature_map.layer
    return {
        "layer": layer.name,
        "units": layer.units,
        "height": layer.height,
        "width": layer.width,
        "receptive_field": "image" if field is None else field,
        "rectified": feature_map.rectified,
        "default": layer.name == default,
    }
