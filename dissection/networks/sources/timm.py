"""Networks of timm, with the preprocessing and the labels that belong to their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dissection.errors import NetworkError
from dissection.networks.foreign_preprocessing import preprocessing_of
from dissection.networks.weights import fit, read_weights, row_count

from .architectures import imagenet_classes
from .extras import fetching, needs
from .published_weights import current_names
from .spec import NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.preprocessing import Preprocessing
    from dissection.networks.weights import WeightsFile

_PREFIX = "timm/"


def timm_names() -> tuple[str, ...]:
    """Names of the networks with published weights.

    Raises:
        NetworkError: if timm is not installed.
    """
    with needs("timm", "timm"):
        import timm  # noqa: PLC0415 -- an extra
    return tuple(f"{_PREFIX}{name}" for name in timm.list_models(pretrained=True))


def open_timm(name: str, weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """A network by its name; timm fetches its published weights, once, unless a file is given.

    Raises:
        NetworkError: if timm is not installed, or has no such network.
        WeightsError: if the weights cannot be fetched or read, or do not fit.
    """
    with needs(name, "timm"):
        import timm  # noqa: PLC0415 -- an extra
    architecture = name.removeprefix(_PREFIX)
    if not timm.is_model(architecture):
        raise NetworkError(
            f"timm has no network {architecture!r}; timm.list_models('*{architecture[:5]}*') lists similar names: "
            "choose one"
        )
    if weights is None:
        with fetching(name, "give a file with --weights FILE"):
            module = timm.create_model(architecture, pretrained=True)
    else:
        module = _from_file(timm, architecture, weights)
    return NetworkSpec(module, name, _preprocessing(timm, module), _labels(timm, module))


def _from_file(timm: Any, architecture: str, weights: WeightsFile | Path) -> nn.Module:  # noqa: ANN401 -- timm is not typed
    """The architecture, with as many classes as the file's classifier."""
    state = current_names(read_weights(weights))
    with torch.device("meta"):
        classifier = timm.create_model(architecture).pretrained_cfg["classifier"]
    count = row_count(state, f"{classifier}.weight") if isinstance(classifier, str) else None
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = timm.create_model(architecture, **({} if count is None else {"num_classes": count}))
    fit(module, state, where=str(weights))
    return module


def _preprocessing(timm: Any, module: nn.Module) -> Preprocessing:  # noqa: ANN401 -- timm is not typed
    return preprocessing_of(timm.data.resolve_model_data_config(module))


def _labels(timm: Any, module: nn.Module) -> tuple[str, ...]:  # noqa: ANN401 -- timm is not typed
    """The labels of the weights' data set, if it is an ImageNet and has as many classes."""
    subset = timm.data.infer_imagenet_subset(module)
    if subset is None:
        return ()
    if subset == "imagenet-1k":
        return imagenet_classes()
    info = timm.data.ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))
