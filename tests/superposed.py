"""A world in which units stand for several things at once: four colours as four directions of three units."""

from __future__ import annotations

import torch
from torch import nn
from worlds import BIASES, CLASSES, DETECTORS, PLAIN, Square

from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.network import Network
from dissection.vocabulary import Layer

DIRECTIONS = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [1.0, 1.0, 1.0]])
"""Of red, green, blue and yellow: what each excites of the three units. Yellow excites all of them."""

READERS = torch.tensor([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0], [0.5, 0.5, 0.0]])
"""What tells each colour: 1 where it is, and at most a half where another one is."""


class MixedNet(nn.Module):
    """Where colour i is, its map is direction i, at the resolution of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.detect = nn.Conv2d(3, 4, 1)
        self.mix = nn.Conv2d(4, 3, 1, bias=False)
        self.rectify = nn.ReLU(inplace=True)
        self.square = Square()
        self.head = nn.Linear(3, 4)
        with torch.no_grad():
            self.detect.weight.copy_(torch.tensor(DETECTORS)[:, :, None, None])
            self.detect.bias.copy_(torch.tensor(BIASES))
            self.mix.weight.copy_(DIRECTIONS.T[:, :, None, None])
            self.head.weight.copy_(DIRECTIONS * 3 - 1)
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.rectify(self.mix(self.detect(x).relu()))
        return self.head(self.square(x.mean((2, 3))))


def mixed_net() -> nn.Module:
    """A factory, as a user would write one."""
    return MixedNet().eval()


def mixed_network() -> Network:
    return Network(mixed_net(), "MixedNet", Layer("rectify", 3, 32, 32), PLAIN, CLASSES)


def unmixing(**changes) -> Dictionary:
    """The dictionary of the four colours: a feature is 0.2 where its colour is, and 0 elsewhere."""
    values = {
        "encoder": READERS.T.contiguous(),
        "bias": torch.full((4,), -0.8),
        "decoder": 5 * DIRECTIONS,
        "offset": torch.zeros(3),
        "layer": "rectify",
        "learned": "made by hand",
    }
    return Dictionary(**(values | changes))
