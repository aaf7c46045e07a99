"""From a model's scores to labels and confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from dissection.errors import NetworkError

from .segmenter import Segmentation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from jaxtyping import Float, Int32
    from torch import Tensor


def resized(scores: Float[Tensor, "images classes h w"], size: int) -> Float[Tensor, "images classes size size"]:
    """Scores on a square grid, bilinear at half-pixel centres, as image processors of transformers do it."""
    return F.interpolate(scores.float(), (size, size), mode="bilinear", align_corners=False)


def most_likely(
    probabilities: Float[Tensor, "classes h w"], numbers: Int32[np.ndarray, " classes"], model: str
) -> Segmentation:
    """The likeliest class of each pixel, and its probability.

    Args:
        probabilities: of the classes, which exclude each other.
        numbers: the label number of each class.
        model: its name, for errors.

    Raises:
        NetworkError: if a score is a NaN or an infinity.
    """
    require_finite_scores(probabilities, model)
    confidence, classes = probabilities.max(0)
    return Segmentation(numbers[classes.cpu().numpy()][None], confidence.clamp(0, 1)[None].float().cpu().numpy())


def each_word(
    probabilities: Float[Tensor, "classes h w"], numbers: Int32[np.ndarray, " classes"], model: str
) -> Segmentation:
    """A layer for each class, all of whose pixels have its number: classes do not exclude each other.

    Raises:
        NetworkError: if a score is a NaN or an infinity.
    """
    require_finite_scores(probabilities, model)
    layers = torch.from_numpy(numbers)[:, None, None].expand(probabilities.shape)
    return Segmentation(layers.numpy(), probabilities.float().cpu().numpy())


def require_finite_scores(scores: Tensor, model: str) -> None:
    """Check that no score is a NaN or an infinity.

    Raises:
        NetworkError: if one is.
    """
    if not torch.isfinite(scores).all():
        raise NetworkError(f"{model} gives a score that is a NaN or an infinity; check its weights and preprocessing")


def by_shape(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Places of tensors of one shape, which can go through a model together, in the order of their first."""
    places: dict[torch.Size, list[int]] = {}
    for place, tensor in enumerate(tensors):
        places.setdefault(tensor.shape, []).append(place)
    return list(places.values())
