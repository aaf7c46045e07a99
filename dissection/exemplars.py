"""The images that excite each unit most: a streaming, mergeable top list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .kernels import kernel
from .vocabulary import Exemplar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jaxtyping import Float32, Int64

    from .ranks import Ranks

EXEMPLARS = 9
"""Images kept for each unit."""

_NONE = np.iinfo(np.int64).max


class Exemplars:
    """For each unit the images of greatest activation and the cell where it is; ties go to the earlier image."""

    def __init__(self, units: int) -> None:
        self._values = np.full((units, EXEMPLARS), -np.inf, np.float32)
        self._images = np.full((units, EXEMPLARS), _NONE)
        self._cells = np.zeros((units, EXEMPLARS), np.int64)

    def add(
        self,
        images: Int64[np.ndarray, " images"],
        values: Float32[np.ndarray, "images units"],
        cells: Int64[np.ndarray, "images units"],
    ) -> None:
        """Take in the maximum of each unit's map on some images, and the cell where it is."""
        rows = np.broadcast_to(images[:, None], values.shape)
        _insert(rows, values, cells, self._images, self._values, self._cells)

    def pool(self, ranks: Ranks) -> None:
        """Take in the lists of all ranks; every rank must ask."""
        for number, state in enumerate(ranks.gather(self.state())):
            if number != ranks.number:
                lists = (state[name].T for name in ("images", "values", "cells"))
                _insert(*lists, self._images, self._values, self._cells)

    def of(self, unit: int, *, width: int, name: Callable[[int], str]) -> tuple[Exemplar, ...]:
        """A unit's exemplars, strongest first, on a map of ``width`` columns."""
        rows = zip(self._values[unit].tolist(), self._images[unit].tolist(), self._cells[unit].tolist(), strict=True)
        return tuple(
            Exemplar(name(image), image, value, cell // width, cell % width)
            for value, image, cell in rows
            if image != _NONE
        )

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as arrays."""
        return {"values": self._values, "images": self._images, "cells": self._cells}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what a state was taken from."""
        self._values, self._images, self._cells = (state[name].copy() for name in ("values", "images", "cells"))


@kernel
def _insert(new_images, new_values, new_cells, images, values, cells):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, PLR0913, PLR0917
    """Put candidates, of shape (candidates, units), where they belong in lists that are in order."""
    last = images.shape[1] - 1
    for row in range(new_images.shape[0]):
        for unit in range(new_images.shape[1]):
            image, value = new_images[row, unit], new_values[row, unit]
            place = last + 1
            while place > 0 and (
                values[unit, place - 1] < value
                or (values[unit, place - 1] == value and images[unit, place - 1] > image)
            ):
                place -= 1
                if place < last:
                    images[unit, place + 1] = images[unit, place]
                    values[unit, place + 1] = values[unit, place]
                    cells[unit, place + 1] = cells[unit, place]
            if place <= last:
                images[unit, place], values[unit, place], cells[unit, place] = image, value, new_cells[row, unit]
