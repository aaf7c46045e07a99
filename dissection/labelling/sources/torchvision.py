"""torchvision's segmentation models, with their published weights or a file's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torchvision
from torchvision import models

from dissection.concepts.model_labels import LabellingModel
from dissection.errors import NetworkError
from dissection.labelling.class_words import class_words
from dissection.labelling.segmenter import LIKELIEST, Segmenter, digest_of
from dissection.networks.sources.published_weights import fetch_weights
from dissection.networks.weights import fit, read_weights

from .modules import segment_with

if TYPE_CHECKING:
    from dissection.files.transfers import Bytes
    from dissection.labelling.request import LabellerRequest

_LAST = ("classifier.4.weight", "classifier.low_classifier.weight")
"""The layers that give the scores."""


def segmenter_names() -> tuple[str, ...]:
    """Names of torchvision's segmentation models."""
    return tuple(models.list_models(module=models.segmentation))


def open_torchvision(request: LabellerRequest, progress: Bytes | None = None) -> Segmenter:
    """A segmentation model of torchvision; without a file its published weights are fetched, once.

    Raises:
        NetworkError: if the file has other classes than the published weights, and they are not named.
        WeightsError: if the weights cannot be fetched or read, or do not fit.
    """
    name, known = request.model, _published(request.model)
    path = request.weights or fetch_weights(name, known.url, progress)
    state = read_weights(path)
    labels = tuple(known.meta["categories"])
    count = next((len(state[key]) for key in _LAST if key in state), len(labels))
    if not request.classes and count != len(labels):
        raise NetworkError(f"{path} has {count} classes, and {name} {len(labels)}; name them: --classes FILE")
    words = class_words(request.classes or labels, name, category=request.category, only=request.words)
    if len(words.numbers) != count:
        raise NetworkError(f"{path} has {count} classes, but {len(words.numbers)} labels are given; give one for each")
    options: dict[str, Any] = {"aux_loss": True} if any(key.startswith("aux_classifier.") for key in state) else {}
    with torch.random.fork_rng(devices=[]):
        module = models.get_model(name, weights=None, weights_backbone=None, num_classes=count, **options)
    fit(module, state, where=str(path))
    module.eval().to(request.device)
    return Segmenter(
        (LabellingModel(name, name, digest_of(module)),),
        {"torch": str(torch.__version__), "torchvision": str(torchvision.__version__)},
        words,
        request.confidence(LIKELIEST),
        segment_with(module, known.transforms(), words, name, request.device),
    )


def _published(name: str) -> Any:  # noqa: ANN401 -- the enum's ``DEFAULT`` is not in its type
    weights: Any = models.get_model_weights(name)
    return weights.DEFAULT
