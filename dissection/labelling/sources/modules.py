"""Labels photographs with a module that gives scores ``(images, classes, h, w)``: one's own, or torchvision's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from dissection.errors import NetworkError
from dissection.labelling.scores import by_shape, most_likely, resized
from dissection.networks.isolation import undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from PIL import Image
    from torch import nn

    from dissection.labelling.class_words import ClassWords
    from dissection.labelling.segmenter import Segment, Segmentation

Prepare: TypeAlias = Callable[["Image.Image"], Tensor]
"""Makes a photograph an input ``(channels, h, w)`` that covers its whole frame."""

_SCORES = ("out", "logits")
_PIXEL_SCORES = 4
"""Dimensions of scores of pixels."""


def segment_with(module: nn.Module, prepare: Prepare, words: ClassWords, name: str, device: str) -> Segment:
    """Labels photographs with a module: the softmax of its scores, or the sigmoid if there is one class only."""
    numbers = words.numbers if len(words.numbers) > 1 else np.append(np.int32(0), words.numbers)

    @torch.inference_mode()
    def segment(photographs: Sequence[Image.Image], size: int) -> list[Segmentation]:
        inputs = list(map(prepare, photographs))
        seen: dict[int, Segmentation] = {}
        for places in by_shape(inputs):
            with undisturbed(module):
                output = module(torch.stack([inputs[place] for place in places]).to(device))
            scores = resized(scores_of(output, len(places), len(words.numbers), name), size)
            probabilities = _with_rest(scores.sigmoid()) if scores.shape[1] == 1 else scores.softmax(1)
            for place, likely in zip(places, probabilities, strict=True):
                seen[place] = most_likely(likely, numbers, name)
        return [seen[place] for place in range(len(inputs))]

    return segment


def _with_rest(probabilities: Float[Tensor, "images 1 h w"]) -> Float[Tensor, "images 2 h w"]:
    """Of a single word, the probabilities that it is not there, and that it is."""
    return torch.cat((1 - probabilities, probabilities), 1)


def scores_of(output: object, images: int, classes: int, name: str) -> Float[Tensor, "images classes h w"]:
    """The scores of pixels in a module's output: the tensor itself, or the entry ``out`` or ``logits``.

    Raises:
        NetworkError: if they are not there, or of other classes.
    """
    if isinstance(output, Mapping):
        output = next((output[key] for key in _SCORES if key in output), output)
    if isinstance(output, Tensor) and output.dim() == _PIXEL_SCORES and output.shape[:2] == (images, classes):
        return output
    if isinstance(output, Tensor) and output.dim() == _PIXEL_SCORES:
        raise NetworkError(
            f"{name} gives scores of shape {tuple(output.shape)} for {images} photographs and {classes} words; a word "
            "for each class is needed: --words, or --classes FILE"
        )
    if isinstance(output, Tensor) and output.dim() <= 2:
        raise NetworkError(
            f"{name} gives {tuple(output.shape)}, as a classifier does: what is shown, but not where; give a module "
            "with scores of pixels (images, classes, height, width)"
        )
    kind = f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
    raise NetworkError(f"{name} gives {kind}; scores of pixels (images, classes, height, width) are needed")
