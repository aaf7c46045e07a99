"""The network of the generated scenes, which comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import fit, read_weights, row_count
from dissection.scenes.classifier import INPUT_SIZE, MEAN, SCENE_CLASSES, STD, ScenesNet, scenes_network

from .spec import SCENES, NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.weights import WeightsFile


def open_scenes(weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The network; with the weights that come with it unless a file is given.

    Weights of another number of classes make a network of as many, which knows no labels.

    Raises:
        WeightsError: if the file cannot be read or does not fit.
    """
    classes = [label.replace("_", " ") for label in SCENE_CLASSES]
    if weights is None:
        module = scenes_network()
    else:
        state = read_weights(weights)
        count = row_count(state, f"{ScenesNet.LAST}.weight") or len(classes)
        module = ScenesNet(count).eval()
        fit(module, state, where=str(weights))
        classes = classes if count == len(classes) else []
    size = (INPUT_SIZE, INPUT_SIZE)
    return NetworkSpec(module, SCENES, Preprocessing(size, size, MEAN, STD), classes)
