"""Tells where the map of a network's layer lies in its output, and tries the network there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dissection.errors import ActivationError, LayerNotFoundError

from .body import body_fingerprint
from .isolation import tried
from .recording import noise
from .tap import Tap
from .trials import find_layouts, require_independent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.vocabulary import Layer

    from .layers import Layers
    from .map_layouts import Layout
    from .network import Network
    from .recording import Recording


def tapped_at(network: Network, layers: Layers, recording: Recording) -> Network:
    """The same network, with its layer's map as it lies in the image, and tried at that layer.

    Raises:
        LayerNotFoundError: if it cannot be told how the map lies.
        NetworkError: if an image's answers depend on other images.
        NotConnectedError: if no gradient of the scores reaches the layer.
    """
    placed = layouts_of(network, layers, [network.layer])
    if not placed:
        raise LayerNotFoundError(
            f"layer {network.layer.name!r} of {network.name} gives no map of the image: when parts of an image change, "
            "what changes in its output follows no known order of rows and columns; name another one with --layer"
        )
    ((layer, layout),) = placed.values()
    head = network.head if network.classes else None
    switches = require_independent(network.module, network.preprocessing, recording, head, layer, layout)
    layouts = {layer.name: layout} if layout else {}
    body = ""
    if network.body or not network.classes:
        body = body_fingerprint(network.module, network.preprocessing, layer, layout)
    return replace(network, layer=layer, layouts=layouts, switches_autograd=switches, body=body)


def placed_anew(network: Network) -> Network:
    """The same network, whose layer may hold more tokens or fewer beside its map than with another text.

    Its body is known by what was seen when it was opened.
    """
    try:
        with tried(network.module), Tap(network.module, network.layer, network.layout):
            network.module(noise(network.module, network.preprocessing))
    except ActivationError:
        return replace(network.at(network.layer.name), body=network.body)
    return network


def layouts_of(network: Network, layers: Layers, maps: Sequence[Layer]) -> dict[str, tuple[Layer, Layout | None]]:
    """Layers with their unusual layouts, by name; those are left out of which nothing tells how their maps lie."""
    followed = layers.layouts(maps)
    unclear = [layer for layer in maps if followed[layer.name] is None]
    usual = {layer.name: layers.usual(layer.name) for layer in maps}
    tried = find_layouts(network.module, network.preprocessing, unclear, usual)
    placed = {layer.name: tried.get(layer.name, (layer, followed[layer.name])) for layer in maps}
    return {
        name: (layer, None if layout == usual[name] else layout)
        for name, (layer, layout) in placed.items()
        if layout is not None
    }
