"""torchvision's classifiers, with their published weights or a file's."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from torchvision import models

from dissection.networks.foreign_preprocessing import preprocessing_of
from dissection.networks.weights import fit, read_weights

from .architectures import build_architecture, class_count
from .published_weights import current_names, fetch_weights
from .spec import NetworkSpec

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.files.transfers import Bytes
    from dissection.networks.weights import WeightsFile


@cache
def published_names() -> tuple[str, ...]:
    """Names of torchvision's classifiers."""
    return tuple(models.list_models(module=models))


def open_published(name: str, weights: WeightsFile | Path | None = None, progress: Bytes | None = None) -> NetworkSpec:
    """A torchvision classifier; without a file its published weights are fetched, once.

    With a file it has as many classes as the file's last layer, and expects what the published weights of the
    same file name expect, or else the default ones.

    Raises:
        WeightsError: if the weights cannot be fetched or read, or do not fit.
    """
    known = _known_weights(name, weights)
    path = weights or fetch_weights(name, known.url, progress)
    state = current_names(read_weights(path))
    module = build_architecture(name, state)
    fit(module, state, where=str(path))
    labels = tuple(known.meta["categories"])
    classes = labels if class_count(name, state) in {None, len(labels)} else ()
    return NetworkSpec(module, name, preprocessing_of(known.transforms()), classes)


def open_untrained(name: str) -> NetworkSpec:
    """A torchvision classifier before any training, for uses that do not depend on weights. Nothing is fetched."""
    known = _published_weights(name).DEFAULT
    return NetworkSpec(
        build_architecture(name, {}), name, preprocessing_of(known.transforms()), tuple(known.meta["categories"])
    )


def _known_weights(name: str, path: WeightsFile | Path | None) -> Any:  # noqa: ANN401 -- torchvision is not typed
    """The published weights that a file's name belongs to; the default ones for any other file or none."""
    published = _published_weights(name)
    return next(
        (candidate for candidate in published if path and candidate.url.endswith(f"/{path.name}")), published.DEFAULT
    )


def _published_weights(name: str) -> Any:  # noqa: ANN401 -- the enum's ``DEFAULT`` is not in its type
    """The published weights of a classifier, as torchvision's enum of them."""
    return models.get_model_weights(name)
