"""One image through every stage of a network: App. B.1 and G (Fig. 13, 14 and 22).

Grad-CAM at every rectified map, in one forward pass and one backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw

from dissection.errors import LayerNotFoundError
from dissection.layers import feature_maps
from dissection.tap import forward_through
from neuronexplain.gradcam import alphas_of_layers, heatmap, of_class
from neuronexplain.overlay import overlay

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from jaxtyping import Float32
    from torch import Tensor

    from dissection.networks import Network
    from dissection.vocabulary import Layer

_TILE = 180
_CAPTION = 28
_GAP = 6
_COLUMNS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Grad-CAM at one layer.

    Attributes:
        layer: the layer.
        heat: its map on its own grid.
    """

    layer: Layer
    heat: Float32[np.ndarray, "h w"]


def rectified_layers(network: Network) -> list[Layer]:
    """Every layer with a rectified map, in order of execution.

    Raises:
        LayerNotFoundError: if there is none.
    """
    found = [each.layer for each in feature_maps(network.module, network.preprocessing.size) if each.rectified]
    if not found:
        raise LayerNotFoundError(f"{network.name} has no rectified feature map; choose a convolutional network")
    return found


def stages(network: Network, image: Float32[Tensor, "3 H W"], index: int) -> list[Stage]:
    """Grad-CAM of a class at every rectified map; a block that ends in a ReLU gives its map once.

    Raises:
        LayerNotFoundError: if the network has no rectified map.
        NotConnectedError: if the class's score does not depend on one of them.
    """
    layers = rectified_layers(network)
    seen = forward_through(network, layers, image[None])
    importances = alphas_of_layers(of_class(seen.scores, torch.tensor([index])), seen.activations)
    found: list[Stage] = []
    before: list[Tensor] = []
    for layer, importance, maps in zip(layers, importances, seen.activations, strict=True):
        if not any(maps.shape == other.shape and torch.equal(maps, other) for other in before[-2:]):
            found.append(Stage(layer, heatmap(importance, maps)[0].float().cpu().numpy()))
        before.append(maps.detach())
    return found


def sheet(frame: Image.Image, found: Sequence[Stage]) -> Image.Image:
    """The photograph and its map at each stage, first to last, each under its layer's name and grid."""
    photograph = frame.resize((_TILE, _TILE))
    pictures = [(photograph, "what the network sees")]
    for stage in found:
        layer = stage.layer
        caption = f"{layer.name}\n{layer.units} units, {layer.height} x {layer.width}"
        pictures.append((overlay(photograph, stage.heat), caption))
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    step = _TILE + _GAP, _TILE + _CAPTION + _GAP
    page = Image.new("RGB", (columns * step[0] - _GAP, rows * step[1] - _GAP), "white")
    pen = ImageDraw.Draw(page)
    for number, (picture, caption) in enumerate(pictures):
        left, top = number % columns * step[0], number // columns * step[1]
        page.paste(picture, (left, top))
        pen.multiline_text((left, top + _TILE + 2), caption, fill="black", spacing=1)
    return page
