"""The small network that tells the generated scenes apart: VGG's plan at a tenth of its width."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file
from torch import nn

from .words import SCENE_CLASSES

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

__all__ = [
    "INPUT_SIZE",
    "LAYER",
    "MEAN",
    "SCENE_CLASSES",
    "STD",
    "WEIGHTS",
    "ScenesNet",
    "convolutions",
    "scenes_network",
]

INPUT_SIZE = 112
"""Side of the input in pixels; photographs are shrunk to it with Pillow's bilinear filter."""

MEAN = (0.60, 0.56, 0.48)
STD = (0.24, 0.22, 0.23)
"""Mean and standard deviation of red, green and blue in [0, 1], which normalise the input."""

WEIGHTS = Path(__file__).parent / "scenes.safetensors"
"""The trained weights, made by ``scripts/train_scenes.py``."""

_PLAN = (12, "pool", 24, "pool", 48, 48, "pool", 96, 96, "pool")


class ScenesNet(nn.Module):
    """3x3 convolutions, each rectified, and max pooling; two fully connected layers.

    ``features`` ends in a pooling layer; the rectified map before it, ``LAYER``, is 96 x 14 x 14.

    Args:
        classes: the number of classes it tells apart.
    """

    LAST = "classifier.4"
    """The layer that gives the scores."""

    def __init__(self, classes: int = len(SCENE_CLASSES)) -> None:
        super().__init__()
        self.features = convolutions()
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(96 * 7 * 7, 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )

    def forward(self, images: Float[Tensor, "batch 3 112 112"]) -> Float[Tensor, "batch classes"]:
        """Logits by class."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


def convolutions() -> nn.Sequential:
    """The untrained convolutions, rectified, with the pooling layers between and after them."""
    return nn.Sequential(*_layers())


def _layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    channels = 3
    for step in _PLAN:
        if isinstance(step, int):
            layers += [nn.Conv2d(channels, step, kernel_size=3, padding=1), nn.ReLU()]
            channels = step
        else:
            layers.append(nn.MaxPool2d(2))
    return layers


LAYER = f"features.{len(_layers()) - 2}"
"""The last rectified map."""


def scenes_network() -> ScenesNet:
    """The trained network, in eval mode."""
    network = ScenesNet()
    network.load_state_dict(load_file(WEIGHTS))
    return network.eval()
