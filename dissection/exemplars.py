"""The images that excite each unit most: a streaming, mergeable top list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .vocabulary import Exemplar

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int64
    from torch import Tensor

EXEMPLARS = 9
"""Images kept for each unit."""


class Exemplars:
    """For each unit the images of greatest activation and the cell where it is; ties go to the earlier image."""

    def __init__(self, units: int) -> None:
        self._values = torch.empty(units, 0)
        self._images = torch.empty(units, 0, dtype=torch.int64)
        self._cells = torch.empty(units, 0, dtype=torch.int64)

    def add(self, images: Int64[Tensor, " images"], maps: Float[Tensor, "images units h w"]) -> None:
        """Take in the feature maps of some images."""
        flat = maps.flatten(2)
        cells = flat.argmax(2)
        values = flat.gather(2, cells[:, :, None])[:, :, 0]
        self._take(values.T.cpu(), images[None].expand(maps.shape[1], -1), cells.T.cpu())

    def merge(self, other: Exemplars) -> None:
        """Take in another list over other images."""
        self._take(other._values, other._images, other._cells)

    def of(self, unit: int, *, width: int, name: Callable[[int], str]) -> tuple[Exemplar, ...]:
        """A unit's exemplars, strongest first, on a map of ``width`` columns."""
        rows = zip(self._values[unit].tolist(), self._images[unit].tolist(), self._cells[unit].tolist(), strict=True)
        return tuple(Exemplar(name(image), image, value, cell // width, cell % width) for value, image, cell in rows)

    def _take(self, values: Tensor, images: Tensor, cells: Tensor) -> None:
        values, images, cells = (
            torch.cat(pair, 1) for pair in ((self._values, values), (self._images, images), (self._cells, cells))
        )
        by_image = images.argsort(1)
        strongest = values.gather(1, by_image).argsort(stable=True, dim=1, descending=True)
        order = by_image.gather(1, strongest)[:, :EXEMPLARS]
        self._values, self._images, self._cells = (part.gather(1, order) for part in (values, images, cells))
