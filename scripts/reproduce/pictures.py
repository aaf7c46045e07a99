"""The pictures of the reproduction report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dissection.errors import NeuronExplainError
from dissection.networks.forward import forward
from neuronexplain.answer import MethodMap
from neuronexplain.methods import METHODS
from neuronexplain.pictures.overlay import method_picture
from neuronexplain.pictures.tiles import sheet
from neuronexplain.studies.stages import stages
from neuronexplain.studies.stages import stages_sheet as stage_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cases import World
    from PIL import Image

    from dissection.networks.network import Network
    from neuronexplain.methods import Method
    from neuronexplain.pictures.tiles import Tile

_IMAGES = 4
_SIDE = 224
_OCCLUSION = "occlusion"


def usable(network: Network) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods that are defined for a network, and the reasons why others are not."""
    image = torch.zeros(1, 3, *network.preprocessing.size)
    methods, reasons = {}, {}
    for name, method in METHODS.items():
        if name != _OCCLUSION:  # defined for every network, and costs a hundred passes
            try:
                method.maps(network, image, 0)
            except NeuronExplainError as error:
                reasons[name] = str(error)
                continue
        methods[name] = method
    return methods, reasons


def methods_sheet(world: World, methods: Sequence[Method]) -> Image.Image:
    """All methods on a few images, a block of rows for each."""
    rows: list[list[Tile]] = []
    for photograph, image, index, prediction in _shown(world):
        tiles: list[Tile] = [(photograph, prediction)]
        for method in methods:
            values = method.attribution(world.network, image[None], index)[0].detach().float().cpu().numpy()
            tiles.append((method_picture(photograph, MethodMap(method, values)), method.title))
        rows += [tiles[: len(tiles) // 2 + 1], [(None, ""), *tiles[len(tiles) // 2 + 1 :]]]
    return sheet(rows, tile=150)


def counterfactual_sheet(world: World) -> Image.Image:
    """Fig. 3: evidence for and against each of the two most probable classes."""
    rows: list[list[Tile]] = []
    for photograph, image, _, prediction in _shown(world):
        scores = forward(world.network, image[None]).scores[0].detach().softmax(0)
        tiles: list[Tile] = [(photograph, prediction)]
        for index in scores.topk(2).indices.tolist():
            label = world.network.classes[index]
            for name, word in (("grad-cam", "for"), ("counterfactual", "against")):
                values = METHODS[name].attribution(world.network, image[None], index)[0].detach().float().cpu().numpy()
                caption = f"{word} {label}\n{100 * scores[index]:.3g}%"
                tiles.append((method_picture(photograph, MethodMap(METHODS[name], values)), caption))
        rows.append(tiles)
    return sheet(rows, tile=170)


def layers_sheet(world: World) -> Image.Image:
    """Fig. 13: one image through every stage."""
    photograph, image, index, _ = next(_shown(world))
    return stage_sheet(photograph, stages(world.network, image, index))


def _shown(world: World) -> Iterator[tuple[Image.Image, torch.Tensor, int, str]]:
    """A few images as the network sees them, with its prediction."""
    ground = world.some(_IMAGES)
    for number in range(len(ground)):
        photograph = ground.annotated(number).photograph.resize((_SIDE, _SIDE))
        image = world.network.preprocessing.tensor(world.network.preprocessing.whole(photograph))
        scores = forward(world.network, image[None]).scores[0].detach().softmax(0)
        index = int(scores.argmax())
        yield photograph, image, index, f"{world.network.classes[index]}, {100 * float(scores[index]):.3g}%"
