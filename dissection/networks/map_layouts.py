"""The layouts of feature maps, each read as ``(images, units, h, w)``.

=============  ================================  ======================================================
channels first ``(images, units, h, w)``         convolutional networks
channels last  ``(images, h, w, units)``         between the stages of some window transformers
tokens         ``(images, more + h * w, units)`` transformers; ``more`` are tokens that are not patches
=============  ================================  ======================================================

Tokens that are not patches (class, distillation, registers) come first in every published architecture. The grid of
the patches has the proportions of the image.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from dissection.vocabulary import Layer

_MOST_MORE = 8
"""Limit of tokens that are not patches: published networks have at most a class, a distillation and four registers."""


def grid(shape: Sequence[int], channels: int, image: tuple[int, int]) -> tuple[int, int, int] | None:
    """Units, height and width of the map that a tensor for one image holds; ``None`` if it holds none.

    Args:
        shape: the tensor's shape.
        channels: its channel axis.
        image: the image's height and width.

    >>> grid((1, 512, 7, 7), 1, (224, 224)), grid((1, 7, 7, 768), 3, (224, 224)), grid((1, 197, 768), 2, (224, 224))
    ((512, 7, 7), (768, 7, 7), (768, 14, 14))
    """
    match (len(shape), channels):
        case (4, 1):
            units, height, width = shape[1:]
        case (4, 3) if len(set(shape[1:])) > 1:
            height, width, units = shape[1:]
        case (3, 2):
            (height, width), units = _patches(shape[1], image), shape[2]
        case _:
            return None
    return (units, height, width) if shape[0] == 1 and height * width > 1 else None


def read(output: Tensor, layer: Layer) -> Float[Tensor, "images units h w"] | None:
    """A layer's output as a map; ``None`` if its size is not the layer's."""
    size = (layer.units, layer.height, layer.width)
    if output.ndim == 4 and tuple(output.shape[1:]) == size:
        return output
    if output.ndim == 4 and tuple(output.shape[1:]) == (*size[1:], size[0]):
        return output.permute(0, 3, 1, 2)
    if output.ndim == 3 and output.shape[2] == layer.units and 0 <= _more(output, layer) <= _MOST_MORE:
        patches = output[:, _more(output, layer) :]
        return patches.transpose(1, 2).reshape(-1, *size)
    return None


def written(maps: Float[Tensor, "images units h w"], output: Tensor) -> Tensor:
    """A map in the layout of the output that it was read from, with the tokens of that output that are not patches."""
    if output.ndim == 3:
        patches = maps.flatten(2).transpose(1, 2)
        return torch.cat([output[:, : output.shape[1] - patches.shape[1]].to(maps.dtype), patches], 1)
    if maps.shape[1:] != output.shape[1:]:
        return maps.permute(0, 2, 3, 1)
    return maps


def _more(output: Tensor, layer: Layer) -> int:
    return output.shape[1] - layer.height * layer.width


def _patches(tokens: int, image: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the largest grid with the image's proportions; 0 if every grid leaves too many tokens."""
    for patches in range(tokens, max(tokens - _MOST_MORE - 1, 0), -1):
        height = isqrt(patches * image[0] // image[1])
        for rows in (height, height + 1):
            if rows and patches % rows == 0 and rows * image[1] == patches // rows * image[0]:
                return rows, patches // rows
    return 0, 0
