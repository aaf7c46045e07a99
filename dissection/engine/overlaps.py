"""Sums of the overlaps of units' masks and concepts' labels: integers, whichever rank counted which images.

For concept c of category g, over all images (Bau et al. 2017, Sec. 2.3)::

    I = sum |M and L_c|     G = sum |L_c|     A = sum over images with any label of g of |M|     IoU = I / (A + G - I)

``M`` is the unit's mask, ``up(A_k) > T_k`` (:mod:`dissection.engine.upsampling`), ``L_c`` the pixels labelled c. Not
every image is labelled in every category, so a unit's area ``A`` is counted category by category: over the images that
have at least one label of the category, anywhere in the image. :mod:`dissection.engine.overlap_counting` counts the
images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel
from dissection.execution.statistic import ArrayStatistic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jaxtyping import Int32, Int64

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Concept


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The order of the counts.

    Attributes:
        concepts: the concepts, by ascending label number.
        numbers: label number of each concept.
        categories: each concept's category, as an index.
        count: number of categories.
    """

    concepts: tuple[Concept, ...]
    numbers: Int64[np.ndarray, " concepts"]
    categories: Int64[np.ndarray, " concepts"]
    count: int

    @classmethod
    def of(cls, concepts: Mapping[int, Concept], categories: Sequence[str]) -> Columns:
        """The columns of a dataset's concepts, with its categories in their order."""
        numbers = np.array(list(concepts), np.int64)
        indices = np.array([categories.index(concept.category) for concept in concepts.values()], np.int64)
        return cls(tuple(concepts.values()), numbers, indices, len(categories))

    def of_numbers(self, numbers: Iterable[int]) -> list[int]:
        """The columns of those numbers that a concept has, each once, by category and then by number."""
        columns = np.flatnonzero(np.isin(self.numbers, list(numbers)))
        ordered: list[int] = columns[np.argsort(self.categories[columns], kind="stable")].tolist()
        return ordered


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """The sums, in pixels unless stated otherwise.

    Attributes:
        units: the units of the rows.
        columns: the concepts of the columns.
        intersection: ``I`` by unit and concept.
        unit_area: ``A`` by unit and category.
        concept_area: ``G`` by concept.
        concept_images: images that show the concept, by concept.
        pixels: label-map pixels seen.
    """

    units: Int32[np.ndarray, " units"]
    columns: Int64[np.ndarray, " concepts"]
    intersection: Int64[np.ndarray, "units concepts"]
    unit_area: Int64[np.ndarray, "units categories"]
    concept_area: Int64[np.ndarray, " concepts"]
    concept_images: Int64[np.ndarray, " concepts"]
    pixels: int


class Overlaps(ArrayStatistic):
    """Sums the overlaps of all units of a layer with all concepts of a dataset."""

    ARRAYS = ("_intersection", "_unit_area", "_concept_area", "_concept_images", "_pixels")

    def __init__(self, units: int, columns: Columns) -> None:
        concepts = len(columns.numbers)
        self._columns = columns
        self._intersection = np.zeros((units, concepts), np.int64)
        self._unit_area = np.zeros((units, columns.count), np.int64)
        self._concept_area = np.zeros(concepts, np.int64)
        self._concept_images = np.zeros(concepts, np.int64)
        self._pixels = np.zeros(1, np.int64)

    def add(self, counts: Counts) -> None:
        """Add the counts of some images."""
        _add_at(self._intersection, counts.units, counts.columns, counts.intersection)
        self._unit_area[counts.units] += counts.unit_area
        self._concept_area[counts.columns] += counts.concept_area
        self._concept_images[counts.columns] += counts.concept_images
        self._pixels += counts.pixels

    def pool(self, ranks: Ranks) -> None:
        """Add up the sums of all ranks; every rank must call it."""
        self.restore({name: ranks.sum(torch.from_numpy(sums)).numpy() for name, sums in self.state().items()})

    def counts(self) -> Counts:
        """The sums so far, for all units and concepts."""
        return Counts(
            np.arange(len(self._intersection), dtype=np.int32),
            np.arange(len(self._concept_area)),
            self._intersection.copy(),
            self._unit_area.copy(),
            self._concept_area.copy(),
            self._concept_images.copy(),
            int(self._pixels[0]),
        )


@kernel
def _add_at(
    sums: Int64[np.ndarray, "units concepts"],
    rows: Int32[np.ndarray, " rows"],
    columns: Int64[np.ndarray, " columns"],
    increments: Int64[np.ndarray, "rows columns"],
) -> None:
    for row in range(len(rows)):
        for column in range(len(columns)):
            sums[rows[row], columns[column]] += increments[row, column]
