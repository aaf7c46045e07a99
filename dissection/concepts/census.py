"""Which images hold which concepts, and how much of each."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import ConceptSupport

from .surveys import areas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float64, Int64

    from dissection.vocabulary import Concept

    from .dataset import ConceptDataset
    from .problems import Counter


@dataclass(frozen=True, slots=True, eq=False)
class Holders:
    """The images that hold a concept, those that show most of it first (ties in the dataset's order).

    Attributes:
        images: their indices.
        pixels: pixels of the concept in each.
        shares: those pixels as a share of the image.
    """

    images: Int64[np.ndarray, " count"]
    pixels: Int64[np.ndarray, " count"]
    shares: Float64[np.ndarray, " count"]

    def listed(self) -> list[tuple[int, int, float]]:
        """Index, pixels and share of each image."""
        return list(zip(self.images.tolist(), self.pixels.tolist(), self.shares.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Census:
    """What a dataset shows, image by image.

    Attributes:
        images: number of images.
        pixels: label-map pixels of all images.
        holders: the images of each concept, by label number; every concept of the dataset has an entry.
    """

    images: int
    pixels: int
    holders: Mapping[int, Holders]

    def support(self, concept: Concept) -> ConceptSupport:
        """How much of a concept the dataset shows."""
        holders = self.holders[concept.number]
        return ConceptSupport(concept, len(holders.images), int(holders.pixels.sum()))


def census(dataset: ConceptDataset, *, progress: Counter | None = None) -> Census:
    """Look at the labels of every image.

    Raises:
        ConceptDataError: for the first label map that breaks the layout.
    """
    columns = {number: (array("q"), array("q"), array("d")) for number in dataset.concepts}
    total = 0
    for index in range(len(dataset)):
        labels = dataset.labels(index)
        size = math.prod(labels.maps.shape[1:])
        total += size
        for number, area in areas(labels).items():
            if number in columns:
                images, pixels, shares = columns[number]
                images.append(index)
                pixels.append(area)
                shares.append(area / size)
        if progress is not None:
            progress(index + 1, len(dataset))
    return Census(len(dataset), total, {number: _sorted(*parts) for number, parts in columns.items()})


def _sorted(images: array[int], pixels: array[int], shares: array[float]) -> Holders:
    order = np.argsort(-np.asarray(shares), kind="stable")
    return Holders(np.array(images, np.int64)[order], np.array(pixels, np.int64)[order], np.asarray(shares)[order])
