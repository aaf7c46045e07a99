"""Tells where the maps of layers lie in their outputs: by the data flow, or by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.errors import LayerNotFoundError

from .trials import find_layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from dissection.vocabulary import Layer

    from .layers import Layers
    from .map_layouts import Layout
    from .preprocessing import Preprocessing


def place(
    module: nn.Module, preprocessing: Preprocessing, layers: Layers, layer: Layer, name: str
) -> tuple[Layer, Layout | None]:
    """A layer as its map lies in the image, and its layout if that is unusual.

    Raises:
        LayerNotFoundError: if it cannot be told how the map lies; the message has the network's name.
    """
    placed = layouts_of(module, preprocessing, layers, [layer])
    if not placed:
        raise LayerNotFoundError(
            f"layer {layer.name!r} of {name} gives no map of the image: when parts of an image change, what changes in "
            "its output follows no known order of rows and columns; name another one with --layer"
        )
    return placed[layer.name]


def layouts_of(
    module: nn.Module, preprocessing: Preprocessing, layers: Layers, maps: Sequence[Layer]
) -> dict[str, tuple[Layer, Layout | None]]:
    """Layers with their unusual layouts, by name; those are left out of which nothing tells how their maps lie."""
    followed = layers.layouts(maps)
    unclear = [layer for layer in maps if followed[layer.name] is None]
    usual = {layer.name: layers.usual(layer.name) for layer in maps}
    tried = find_layouts(module, preprocessing, unclear, usual)
    placed = {layer.name: tried.get(layer.name, (layer, followed[layer.name])) for layer in maps}
    return {
        name: (layer, None if layout == usual[name] else layout)
        for name, (layer, layout) in placed.items()
        if layout is not None
    }
