"""The network of the generated scenes, which comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import fit, read_weights
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
    module = scenes_network() if weights is None else _with_weights(weights)
    size = (INPUT_SIZE, INPUT_SIZE)
    labels = [label.replace("_", " ") for label in SCENE_CLASSES]
    classes = labels if module.class_count == len(labels) else ()
    return NetworkSpec(module, SCENES, Preprocessing(size, size, MEAN, STD), classes)


def _with_weights(weights: WeightsFile | Path) -> ScenesNet:
    state = read_weights(weights)
    last = state.get(f"{ScenesNet.LAST}.weight")
    module = ScenesNet() if last is None else ScenesNet(len(last))
    fit(module, state, where=str(weights))
    return module.eval()
