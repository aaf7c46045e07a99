"""Any concept dataset as ground truth: its label maps say where the objects are.

Label maps do not tell instances apart, so each connected region of an object counts as an instance. This joins
instances that touch, and splits those that are partly hidden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.model_labels import name_with_labels

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
    """A dataset's concepts of category ``object``, or all its concepts if it has no such category.

    Raises:
        ConceptDataError: if no class means one of the concepts.
    """

    def __init__(self, dataset: ConceptDataset, classes: Sequence[str], *, table: Path | None = None) -> None:
        self._dataset = dataset
        category = _CATEGORY if _CATEGORY in dataset.categories else None
        numbers: dict[str, list[int]] = {}
        for number, concept in dataset.concepts.items():
            if category is None or concept.category == category:
                numbers.setdefault(concept.spoken, []).append(number)
        self._names = {number: name for name, of_name in numbers.items() for number in of_name}
        self.name = name_with_labels(dataset)
        self.objects: Objects = match(numbers, classes, table=table)
        # The object of each label number, counted from 1; unknown numbers are clipped to the last entry, which is 0.
        self._object_of = np.zeros(max(dataset.concepts, default=0) + 2, np.int64)
        for position, name in enumerate(self.objects, 1):
            self._object_of[numbers[name]] = position

    def __len__(self) -> int:
        return len(self._dataset)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph with the regions of its objects."""
        maps = self._dataset.labels(index).maps
        object_map = self._object_of.take(maps, mode="clip")
        areas = np.bincount(object_map.ravel(), minlength=len(self.objects) + 1)[1:]
        masks = {
            name: (object_map == position).any(0)
            for position, name in enumerate(self.objects, 1)
            if areas[position - 1]
        }
        places = {name: ObjectLocation(region_boxes(mask), mask) for name, mask in masks.items()}
        categories = frozenset(self._names[number] for number in np.unique(maps).tolist() if number in self._names)
        return AnnotatedImage(
            self._dataset.image_name(index), self._dataset.photograph(index), places, categories=categories
        )

    def identity(self) -> str:
        """The dataset's fingerprint, and the matches."""
        return f"{fingerprint(self._dataset)} {self.objects}"


def region_boxes(mask: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "regions 4"]:
    """A box around each connected region, connected by corners too, as shares of width and height."""
    height, width = mask.shape
    regions = ndimage.find_objects(ndimage.label(mask, _CORNERS)[0])
    boxes = [(region[1].start, region[0].start, region[1].stop, region[0].stop) for region in regions]
    return np.array(boxes, np.float64).reshape(-1, 4) / (width, height, width, height)
