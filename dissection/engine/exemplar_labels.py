"""What exemplars show: the concepts whose labels cover the centre of the cell where a unit is most active.

Exemplars are known before masks and labels are compared, so their labels are looked up while they are read for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from .upsampling import centre

if TYPE_CHECKING:
    from dissection.vocabulary import Labels

    from .overlaps import Columns

Shown: TypeAlias = Mapping[tuple[int, int], Sequence[int]]
"""The columns of the concepts that an exemplar shows, by unit and image."""


@dataclass(frozen=True, slots=True, eq=False)
class ExemplarLabels:
    """Looks up what the exemplars of one layer show.

    Attributes:
        columns: the order of the concepts.
        height: rows of a map.
        width: columns of a map.
        cells: by image, the units that it is an exemplar of, and the cell where each is most active.
    """

    columns: Columns
    height: int
    width: int
    cells: Mapping[int, Sequence[tuple[int, int]]]

    def look_up(self, labels: Mapping[int, Labels]) -> Shown:
        """What the exemplars among some images show, given the labels of each image."""
        return {
            (unit, image): self._covering(labels_of_image, *divmod(cell, self.width))
            for image, labels_of_image in labels.items()
            for unit, cell in self.cells.get(image, ())
        }

    def _covering(self, labels: Labels, row: int, column: int) -> list[int]:
        """The columns of the concepts that cover the centre of a cell; labels of the whole image cover it too."""
        _, height, width = labels.maps.shape
        y, x = centre(row, self.height, height), centre(column, self.width, width)
        return self.columns.of_numbers(chain(labels.maps[:, y, x].tolist(), labels.whole))
