"""Networks that were trained on Places365, as their authors published them.

Zhou et al. 2017, http://places2.csail.mit.edu; VGG16 from the authors of Network Dissection (Bau et al. 2020), whose
layers are named as in Caffe. All of them take red, green and blue with ImageNet's mean and deviation.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from torch import nn

from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import fit, read_weights

from .architectures import build_architecture
from .published_weights import current_names, fetch_weights
from .spec import NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.files.transfers import Bytes
    from dissection.networks.weights import WeightsFile

_PREFIX = "places365/"

_SITE = "http://places2.csail.mit.edu/models_places365"
_PUBLISHED = {
    **{name: f"{_SITE}/{name}_places365.pth.tar" for name in ("alexnet", "densenet161", "resnet18", "resnet50")},
    "vgg16": "http://gandissect.csail.mit.edu/models/vgg16_places365-6e38b568.pth",
}
_HEAD = ("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8a")
_PREPROCESSING = Preprocessing((224, 224), (256, 256))
_VGG_PREPROCESSING = Preprocessing((224, 224), 256)


def places_names() -> tuple[str, ...]:
    """Names of the published networks."""
    return tuple(f"{_PREFIX}{name}" for name in sorted(_PUBLISHED))


@cache
def places_classes() -> tuple[str, ...]:
    """The 365 labels, without the letter that sorts them."""
    text = files(__name__.rpartition(".")[0]).joinpath("places365.txt").read_text("utf-8")
    return tuple(line.replace("_", " ") for line in text.splitlines())


def open_places(name: str, weights: WeightsFile | Path | None = None, progress: Bytes | None = None) -> NetworkSpec:
    """A network by its name; its weights are fetched, once, unless a file is given.

    Raises:
        WeightsError: if the weights cannot be fetched or read, or do not fit.
    """
    architecture = name.removeprefix(_PREFIX)
    path = weights or fetch_weights(name, _PUBLISHED[architecture], progress)
    state = current_names(read_weights(path))
    last = state.get("classifier.fc8a.weight")
    module = build_architecture(architecture, state if last is None else {"classifier.6.weight": last})
    if last is not None:
        _name_as_caffe(module)
    fit(module, state, where=str(path))
    labels = places_classes() if len(list(module.parameters())[-1]) == len(places_classes()) else ()
    return NetworkSpec(module, name, _VGG_PREPROCESSING if architecture == "vgg16" else _PREPROCESSING, labels)


def _name_as_caffe(module: nn.Module) -> None:
    """Give a VGG16 the names of the published file: ``features.conv5_3``, ``classifier.fc6``."""
    features, number, block = nn.Sequential(), 1, 1
    for part in module.get_submodule("features").children():
        kind = {nn.Conv2d: "conv", nn.ReLU: "relu"}.get(type(part))
        features.add_module(f"{kind}{block}_{number}" if kind else f"pool{block}", part)
        number += kind == "relu"
        if kind is None:
            number, block = 1, block + 1
    module.features = features
    module.classifier = nn.Sequential(
        OrderedDict(zip(_HEAD, module.get_submodule("classifier").children(), strict=True))
    )
