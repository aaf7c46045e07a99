"""One image through every stage of a network: App. B.1 and G (Fig. 13, 14 and 22).

Grad-CAM at every rectified map, in one forward pass and one backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dissection.errors import LayerNotFoundError
from dissection.networks.forward import forward_through
from neuronexplain.methods.gradcam import alphas_of_layers, heatmap
from neuronexplain.methods.targets import of_class
from neuronexplain.pictures.overlay import overlay
from neuronexplain.pictures.tiles import sheet as tiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from jaxtyping import Float32
    from PIL import Image
    from torch import Tensor

    from dissection.networks.layers import FeatureMap
    from dissection.networks.network import Network
    from dissection.vocabulary import Layer
    from neuronexplain.pictures.tiles import Tile

_TILE = 180
_COLUMNS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Grad-CAM at one layer.

    Attributes:
        layer: the layer.
        heat: the map on the layer's grid.
    """

    layer: Layer
    heat: Float32[np.ndarray, "h w"]


def _rectified_maps(network: Network) -> list[FeatureMap]:
    """Every layer with a rectified map, in order of execution.

    Raises:
        LayerNotFoundError: if there is no such layer.
    """
    maps = [feature_map for feature_map in network.feature_maps() if feature_map.rectified]
    if not maps:
        raise LayerNotFoundError(f"{network.name} has no rectified feature map; choose a convolutional network")
    return maps


def stages(network: Network, image: Float32[Tensor, "channels H W"], index: int) -> list[Stage]:
    """Grad-CAM of a class at every rectified map; a block that ends in a ReLU gives its map once.

    Raises:
        LayerNotFoundError: if the network has no rectified map.
        NotConnectedError: if the class's score does not depend on one of the maps.
    """
    maps = _rectified_maps(network)
    layers = [feature_map.layer for feature_map in maps]
    forward_pass = forward_through(network.reading(maps), layers, image[None])
    importances = alphas_of_layers(of_class(forward_pass.scores, torch.tensor([index])), forward_pass.activations)
    distinct_stages: list[Stage] = []
    earlier_maps: list[Tensor] = []
    for layer, importance, activation in zip(layers, importances, forward_pass.activations, strict=True):
        if not any(activation.shape == earlier.shape and activation.equal(earlier) for earlier in earlier_maps[-2:]):
            distinct_stages.append(Stage(layer, heatmap(importance, activation)[0].float().cpu().numpy()))
        earlier_maps.append(activation.detach())
    return distinct_stages


def stages_sheet(frame: Image.Image, stages_in_order: Sequence[Stage]) -> Image.Image:
    """The photograph and its map at each stage, first to last, each under its layer's name and grid."""
    photograph = frame.resize((_TILE, _TILE))
    pictures: list[Tile] = [(photograph, "what the network sees")]
    for stage in stages_in_order:
        layer = stage.layer
        caption = f"{layer.name}\n{layer.units} units, {layer.height} x {layer.width}"
        pictures.append((overlay(photograph, stage.heat), caption))
    columns = -(-len(pictures) // -(-len(pictures) // _COLUMNS))  # rows as even as possible
    return tiled([pictures[start : start + columns] for start in range(0, len(pictures), columns)], tile=_TILE)
