"""The layouts of feature maps, each read as ``(images, units, h, w)``.

=============  ================================  ======================================================
channels first ``(images, units, h, w)``         convolutional networks
channels last  ``(images, h, w, units)``         between the stages of some window transformers
tokens         ``(images, more + h * w, units)`` transformers; ``more`` are tokens that are not patches
anything else  a :class:`Layout`                 a class token that is not the first, windows, folded patches
=============  ================================  ======================================================

The first three show in a tensor's shape. Whether they are right, and what anything else is, only the network can tell:
see :mod:`dissection.networks.places` and :mod:`dissection.networks.mosaics`. The grid of the patches has the
proportions of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor

    from dissection.vocabulary import Layer

_MOST_MORE = 16
"""Limit of tokens that are not patches: published networks have at most a class, a distillation and eight registers."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a tensor holds a map that its shape alone does not show.

    Attributes:
        shape: the tensor's shape for one image, without the axis of images.
        axis: its axis of units, counted with the axis of images.
        cells: for each cell of the map, row by row, its place among those that the other axes make.
    """

    shape: tuple[int, ...]
    axis: int
    cells: tuple[int, ...]

    @property
    def order(self) -> str:
        """How the map lies, wherever in the tensor it begins: words before it or behind it make no difference."""
        return f"{self.axis} {[place - min(self.cells) for place in self.cells]}"

    def read(self, output: Tensor, layer: Layer) -> Float[Tensor, "images units h w"] | None:
        """A layer's output as a map; ``None`` if it has another shape."""
        if tuple(output.shape[1:]) != self.shape:
            return None
        places = output.movedim(self.axis, 1).flatten(2)
        return places[:, :, self._index(output)].reshape(-1, layer.units, layer.height, layer.width)

    def written(self, maps: Float[Tensor, "images units h w"], output: Tensor) -> Tensor:
        """A map in this layout, with what else the output holds."""
        moved = output.to(maps.dtype).movedim(self.axis, 1)
        places = moved.flatten(2).index_copy(2, self._index(output), maps.flatten(2))
        return places.reshape(moved.shape).movedim(1, self.axis)

    def _index(self, output: Tensor) -> Tensor:
        return torch.tensor(self.cells, device=output.device)


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
            (height, width), units = patches(shape[1], image), shape[2]
        case _:
            return None
    return (units, height, width) if shape[0] == 1 and height * width > 1 else None


def layout_of(shape: Sequence[int], size: tuple[int, int, int]) -> Layout | None:
    """How :func:`read` reads a tensor of this shape as a map of this many units, rows and columns."""
    units, height, width = size
    inner = tuple(shape[1:])
    cells = range(height * width)
    if inner == size:
        return Layout(inner, 1, tuple(cells))
    if inner == (height, width, units):
        return Layout(inner, 3, tuple(cells))
    if len(inner) == 2 and inner[1] == units and 0 <= inner[0] - len(cells) <= _MOST_MORE:
        return Layout(inner, 2, tuple(range(inner[0] - len(cells), inner[0])))
    return None


def read(output: Tensor, layer: Layer, layout: Layout | None = None) -> Float[Tensor, "images units h w"] | None:
    """A layer's output as a map; ``None`` if its size is not the layer's."""
    if layout is not None:
        return layout.read(output, layer)
    size = (layer.units, layer.height, layer.width)
    if output.ndim == 4 and tuple(output.shape[1:]) == size:
        return output
    if output.ndim == 4 and tuple(output.shape[1:]) == (*size[1:], size[0]):
        return output.permute(0, 3, 1, 2)
    if output.ndim == 3 and output.shape[2] == layer.units and 0 <= _more(output, layer) <= _MOST_MORE:
        return output[:, _more(output, layer) :].transpose(1, 2).reshape(-1, *size)
    return None


def written(maps: Float[Tensor, "images units h w"], output: Tensor, layout: Layout | None = None) -> Tensor:
    """A map in the layout of the output that it was read from, with the tokens of that output that are not patches."""
    if layout is not None:
        return layout.written(maps, output)
    if output.ndim == 3:
        tokens = maps.flatten(2).transpose(1, 2)
        return torch.cat([output[:, : output.shape[1] - tokens.shape[1]].to(maps.dtype), tokens], 1)
    if maps.shape[1:] != output.shape[1:]:
        return maps.permute(0, 2, 3, 1)
    return maps


def patches(tokens: int, image: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the largest grid with the image's proportions; 0 if every grid leaves too many tokens.

    >>> patches(197, (224, 224)), patches(8, (32, 64)), patches(30, (224, 224))
    ((14, 14), (2, 4), (5, 5))
    """
    for number in range(tokens, max(tokens - _MOST_MORE - 1, 0), -1):
        height = isqrt(number * image[0] // image[1])
        for rows in (height, height + 1):
            if rows and number % rows == 0 and rows * image[1] == number // rows * image[0]:
                return rows, number // rows
    return 0, 0


def _more(output: Tensor, layer: Layer) -> int:
    return output.shape[1] - layer.height * layer.width
