"""The images that excite each unit most: a streaming, mergeable top list."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel
from dissection.execution.slices import in_slices
from dissection.execution.statistic import ArrayStatistic
from dissection.vocabulary import Exemplar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float32, Int64

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Concept

    from .exemplar_labels import Shown

EXEMPLARS = 9
"""Images kept for each unit."""

_NONE = np.iinfo(np.int64).max


class Exemplars(ArrayStatistic):
    """The images that excite each unit most, and the cells where they do; ties go to the earlier image.

    What they show is no part of a state: a job that is resumed looks it up again.
    """

    ARRAYS = ("_values", "_images", "_cells")

    def __init__(self, units: int) -> None:
        self._values = np.full((units, EXEMPLARS), -np.inf, np.float32)
        self._images = np.full((units, EXEMPLARS), _NONE)
        self._cells = np.zeros((units, EXEMPLARS), np.int64)
        self._shown: dict[tuple[int, int], Sequence[int]] = {}

    def add(
        self,
        images: range,
        maps: Float32[np.ndarray, "images units cells"],
        maxima: Float32[np.ndarray, "images units"],
    ) -> None:
        """Add the maps of some images, given the maximum of each."""
        lists = (self._images, self._values, self._cells)
        in_slices(_insert_maps, maps.shape[1], images.start, maps, maxima, *lists, numbers=maxima.size)

    def cells(self) -> dict[int, list[tuple[int, int]]]:
        """By image, the units that it excites most so far, and the cell where each is most active."""
        cells = defaultdict(list)
        for unit, place in np.argwhere(self._images != _NONE).tolist():
            cells[int(self._images[unit, place])].append((unit, int(self._cells[unit, place])))
        return dict(cells)

    def show(self, shown: Shown) -> None:
        """Take in what some exemplars show."""
        self._shown.update(shown)

    def pool(self, ranks: Ranks) -> None:
        """Merge the lists of all ranks; every rank must call it."""
        for number, (state, shown) in enumerate(ranks.gather((self.state(), self._shown))):
            if number != ranks.number:
                _insert_lists(state["images"], state["values"], state["cells"], self._images, self._values, self._cells)
                self.show(shown)

    def of(
        self, unit: int, *, width: int, name: Callable[[int], str], concepts: Sequence[Concept]
    ) -> tuple[Exemplar, ...]:
        """A unit's exemplars, strongest first, on a map of ``width`` columns; ``concepts`` are in columns' order."""
        rows = zip(self._values[unit].tolist(), self._images[unit].tolist(), self._cells[unit].tolist(), strict=True)
        return tuple(
            Exemplar(
                name(image),
                image,
                value,
                cell // width,
                cell % width,
                tuple(concepts[column] for column in self._shown.get((unit, image), ())),
            )
            for value, image, cell in rows
            if image != _NONE
        )


@kernel
def _insert_maps(
    first: int,
    maps: Float32[np.ndarray, "images units cells"],
    maxima: Float32[np.ndarray, "images units"],
    images: Int64[np.ndarray, "units ranks"],
    values: Float32[np.ndarray, "units ranks"],
    cells: Int64[np.ndarray, "units ranks"],
    start: int,
    stop: int,
) -> None:
    for image in range(maps.shape[0]):
        for unit in range(start, stop):
            place = _insert(first + image, maxima[image, unit], images[unit], values[unit], cells[unit])
            if place >= 0:
                cells[unit, place] = np.argmax(maps[image, unit])


@kernel
def _insert_lists(
    new_images: Int64[np.ndarray, "units ranks"],
    new_values: Float32[np.ndarray, "units ranks"],
    new_cells: Int64[np.ndarray, "units ranks"],
    images: Int64[np.ndarray, "units ranks"],
    values: Float32[np.ndarray, "units ranks"],
    cells: Int64[np.ndarray, "units ranks"],
) -> None:
    for unit in range(new_images.shape[0]):
        for rank in range(new_images.shape[1]):
            place = _insert(new_images[unit, rank], new_values[unit, rank], images[unit], values[unit], cells[unit])
            if place >= 0:
                cells[unit, place] = new_cells[unit, rank]


@kernel
def _insert(
    image: int,
    value: float,
    images: Int64[np.ndarray, " ranks"],
    values: Float32[np.ndarray, " ranks"],
    cells: Int64[np.ndarray, " ranks"],
) -> int:
    """Insert an image into a sorted list; returns its place, or -1 if it is not among the best."""
    last = len(images) - 1
    if value < values[last] or (value == values[last] and image > images[last]):
        return -1
    place = last
    while place > 0 and (values[place - 1] < value or (values[place - 1] == value and images[place - 1] > image)):
        images[place], values[place], cells[place] = images[place - 1], values[place - 1], cells[place - 1]
        place -= 1
    images[place], values[place] = image, value
    return place
