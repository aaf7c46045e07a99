"""Any concept dataset as ground truth: its label maps say where the objects are.

Label maps do not tell instances apart; each connected region of an object counts as one of its instances, which joins
those that touch and cuts those that something stands before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from dissection.concepts import fingerprint

from .matching import match
from .truth import Annotated, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float64

    from dissection.concepts import ConceptDataset

    from .truth import Objects

_CATEGORY = "object"
_CORNERS = np.ones((3, 3))


class LabelledObjects:
    """The concepts of category ``object`` of a dataset, or all of them where it has no such category.

    Raises:
        ConceptDataError: if no class means one of them.
    """

    def __init__(self, dataset: ConceptDataset, classes: Sequence[str], *, table: Path | None = None) -> None:
        self._dataset = dataset
        wanted = _CATEGORY if _CATEGORY in dataset.categories else None
        self._numbers: dict[str, list[int]] = {}
        for number, concept in dataset.concepts.items():
            if wanted is None or concept.category == wanted:
                self._numbers.setdefault(concept.spoken, []).append(number)
        self.name = dataset.name
        self.objects: Objects = match(self._numbers, classes, table=table)

    def __len__(self) -> int:
        return len(self._dataset)

    def annotated(self, index: int) -> Annotated:
        """A photograph with the regions of its objects."""
        maps = self._dataset.labels(index).maps
        masks = {name: np.asarray(np.isin(maps, self._numbers[name]).any(0)) for name in self.objects}
        places = {name: Place(region_boxes(mask), mask) for name, mask in masks.items() if mask.any()}
        return Annotated(self._dataset.image_name(index), self._dataset.photograph(index), places)

    def reading(self) -> str:
        """The dataset's own fingerprint, and the matches."""
        return f"{fingerprint(self._dataset)} {self.objects}"


def region_boxes(mask: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "regions 4"]:
    """A box around each connected region, corners included, as shares of width and height."""
    height, width = mask.shape
    regions = ndimage.find_objects(ndimage.label(mask, _CORNERS)[0])
    boxes = [(place[1].start, place[0].start, place[1].stop, place[0].stop) for place in regions]
    return np.array(boxes, np.float64).reshape(-1, 4) / (width, height, width, height)
