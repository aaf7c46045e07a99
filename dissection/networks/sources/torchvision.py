"""torchvision's classifiers, with their published weights or a file's."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torchvision import models

from dissection.errors import DownloadError, OutputError, WeightsError
from dissection.files.downloads import download
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import fit, read_weights

from .spec import Draft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchvision.models import WeightsEnum

    from dissection.files.transfers import Bytes

_RESCALING = {"googlenet", "inception_v3"}
"""Published with a rescaling of their input inside, and with auxiliary classifiers that only training uses."""

_OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])(?=\.)")
"""How DenseNet's published files name what is ``norm1`` today."""

_PARALLEL = re.compile(r"(?<![^.])module\.")


@cache
def published_names() -> tuple[str, ...]:
    """Names of torchvision's classifiers."""
    return tuple(models.list_models(module=models))


def open_published(name: str, weights: Path | None = None, progress: Bytes | None = None) -> Draft:
    """A torchvision classifier; without a file its published weights are fetched, once.

    With a file it has as many classes as the file's last layer, and expects what the published weights of the
    same file name expect, or else the default ones.

    Raises:
        WeightsError: if the weights cannot be had, or do not fit.
    """
    known = _known_weights(name, weights)
    path = weights or fetch(name, known.url, progress)
    state = own_names(read_weights(path))
    module = build(name, state)
    fit(module, state, where=str(path))
    labels = tuple(known.meta["categories"])
    classes = labels if class_count(name, state) in {None, len(labels)} else ()
    return Draft(module, name, _preprocessing(known), classes)


def open_untrained(name: str) -> Draft:
    """A torchvision classifier before any training: for what does not depend on weights. Nothing is fetched."""
    known = models.get_model_weights(name).DEFAULT
    return Draft(build(name, {}), name, _preprocessing(known), tuple(known.meta["categories"]))


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under today's names, without what ``DataParallel`` added inside."""
    return {_PARALLEL.sub("", _OLD_DENSE.sub(r"\1\2", key)): value for key, value in state.items()}


def fetch(name: str, url: str, progress: Bytes | None = None) -> Path:
    """A published weights file, from torch's cache or the web; PyTorch's custom puts its hash into its name.

    Raises:
        WeightsError: if it cannot be had.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    digest = torch.hub.HASH_REGEX.search(path.name)
    if path.exists():
        return path
    try:
        return download(url, path, digest=f"sha256:{digest[1]}" if digest else None, progress=progress)
    except (DownloadError, OutputError) as error:
        raise WeightsError(f"no published weights of {name}: {error}, or give it with --weights FILE") from error


def _known_weights(name: str, path: Path | None) -> Any:  # noqa: ANN401 -- torchvision is not typed
    """The published weights that a file is by its name; the default ones for another file or none."""
    published = models.get_model_weights(name)
    return next((one for one in published if path and one.url.endswith(f"/{path.name}")), published.DEFAULT)


def build(name: str, state: Mapping[str, Tensor]) -> nn.Module:
    """A torchvision architecture, with as many classes as the state has, without random numbers of the caller's."""
    options: dict[str, Any] = {}
    if name in _RESCALING:
        auxiliary = any(key.lower().startswith("aux") for key in state)
        options = {"transform_input": True, "aux_logits": auxiliary, "init_weights": False}
    count = class_count(name, state)
    if count is not None:
        options["num_classes"] = count
    with torch.random.fork_rng(devices=[]):
        module: nn.Module = models.get_model(name, weights=None, **options)
    return module


def class_count(name: str, state: Mapping[str, Tensor]) -> int | None:
    """Classes of the state's last layer, where it has one of that name."""
    weight = state.get(f"{_last_layer(name)}.weight")
    return None if weight is None else len(weight)


@cache
def _last_layer(name: str) -> str:
    """Name of the module that gives the scores."""
    with torch.device("meta"):
        skeleton = models.get_model(name, weights=None, **({"init_weights": False} if name in _RESCALING else {}))
    weighted: list[str] = [
        part for part, module in skeleton.named_modules() if isinstance(module, (nn.Linear, nn.Conv2d))
    ]
    return weighted[-1]


def imagenet_classes() -> tuple[str, ...]:
    """ImageNet's labels, in the order of their WordNet ids."""
    labels: list[str] = models.ResNet18_Weights.DEFAULT.meta["categories"]
    return tuple(labels)


def _preprocessing(weights: WeightsEnum) -> Preprocessing:
    preset = weights.transforms()
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    return Preprocessing((crop, crop), resize, tuple(preset.mean), tuple(preset.std), preset.interpolation.value)
