"""The network of the generated scenes, which comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.networks.preprocessing import Preprocessing
from dissection.scenes.classifier import INPUT_SIZE, MEAN, SCENE_CLASSES, STD, scenes_network

from .spec import SCENES, NetworkSpec, load

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.weights import WeightsFile


def open_scenes(weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The network; with the weights that come with it unless a file is given.

    Raises:
        WeightsError: if the file cannot be read or does not fit.
    """
    size = (INPUT_SIZE, INPUT_SIZE)
    classes = [label.replace("_", " ") for label in SCENE_CLASSES]
    return NetworkSpec(load(scenes_network(), weights), SCENES, Preprocessing(size, size, MEAN, STD), classes)
