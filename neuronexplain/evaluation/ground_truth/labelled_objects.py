"""Any concept dataset as ground truth: its label maps say where the objects are.

Label maps do not tell instances apart; each connected region of an object counts as one of its instances, which joins
those that touch and cuts those that something stands before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from dissection.concepts.fingerprints import fingerprint

from .matching import match
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float64

    from dissection.concepts.dataset import ConceptDataset

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
        numbers: dict[str, list[int]] = {}
        for number, concept in dataset.concepts.items():
            if wanted is None or concept.category == wanted:
                numbers.setdefault(concept.spoken, []).append(number)
        self.name = dataset.name
        self.objects: Objects = match(numbers, classes, table=table)
        # A number's object, counted from 1; what is no concept's number falls on the last place.
        self._place = np.zeros(max(dataset.concepts, default=0) + 2, np.int64)
        for place, name in enumerate(self.objects, 1):
            self._place[numbers[name]] = place

    def __len__(self) -> int:
        return len(self._dataset)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with the regions of its objects."""
        there = self._place.take(self._dataset.labels(index).maps, mode="clip")
        found = np.bincount(there.ravel(), minlength=len(self.objects) + 1)[1:]
        masks = {name: (there == place).any(0) for place, name in enumerate(self.objects, 1) if found[place - 1]}
        places = {name: ObjectLocation(region_boxes(mask), mask) for name, mask in masks.items()}
        return AnnotatedImage(self._dataset.image_name(index), self._dataset.photograph(index), places)

    def identity(self) -> str:
        """The dataset's own fingerprint, and the matches."""
        return f"{fingerprint(self._dataset)} {self.objects}"


def region_boxes(mask: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "regions 4"]:
    """A box around each connected region, corners included, as shares of width and height."""
    height, width = mask.shape
    regions = ndimage.find_objects(ndimage.label(mask, _CORNERS)[0])
    boxes = [(place[1].start, place[0].start, place[1].stop, place[0].stop) for place in regions]
    return np.array(boxes, np.float64).reshape(-1, 4) / (width, height, width, height)
