"""How much of each concept a dataset shows, and which concepts are too common to become a name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.statistic import ArrayStatistic
from dissection.vocabulary import MIN_IOU, QUANTILE, ConceptSupport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Concept, Labels

    from .dataset import ConceptDataset
    from .problems import Counter


@dataclass(frozen=True, slots=True)
class Survey:
    """What a dataset shows.

    Attributes:
        images: number of images.
        pixels: number of label-map pixels of all images.
        concepts: every concept with its support, by label number.
    """

    images: int
    pixels: int
    concepts: tuple[ConceptSupport, ...]


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A concept that no unit can be named after at a quantile.

    Attributes:
        concept: the concept.
        share: its share of all label-map pixels.
        best_iou: the IoU that a perfect unit would have.
        quantile: the least quantile, to two figures, at which a perfect unit reaches the cut.
    """

    concept: Concept
    share: float
    best_iou: float
    quantile: float


class Tally(ArrayStatistic):
    """Counts images and pixels of concepts, image by image; numbers that belong to no concept are left out."""

    ARRAYS = ("_totals", "_counts")

    def __init__(self, concepts: Mapping[int, Concept]) -> None:
        self._concepts = tuple(concepts.values())
        self._rows = {number: row for row, number in enumerate(concepts)}
        self._totals = np.zeros(2, np.int64)
        self._counts = np.zeros((len(concepts), 2), np.int64)

    def add(self, labels: Labels) -> None:
        """Take in one image."""
        self._totals += 1, math.prod(labels.maps.shape[1:])
        for number, area in areas(labels).items():
            if number in self._rows:
                self._counts[self._rows[number]] += 1, area

    def pool(self, ranks: Ranks) -> None:
        """Add up the counts of all ranks; every rank must call it."""
        self._totals = np.sum(ranks.gather(self._totals), 0)
        self._counts = np.sum(ranks.gather(self._counts), 0)

    def survey(self) -> Survey:
        """The counts so far."""
        images, pixels = self._totals.tolist()
        supports = (
            ConceptSupport(concept, *counts)
            for concept, counts in zip(self._concepts, self._counts.tolist(), strict=True)
        )
        return Survey(images, pixels, tuple(supports))


def areas(labels: Labels) -> dict[int, int]:
    """Pixels of each label of one image; a pixel that carries it on several layers counts once."""
    mapped = {number: int((labels.maps == number).any(0).sum()) for number in np.unique(labels.maps).tolist() if number}
    return mapped | dict.fromkeys(labels.whole, math.prod(labels.maps.shape[1:]))


def survey(dataset: ConceptDataset, *, progress: Counter | None = None) -> Survey:
    """Count every concept of a dataset.

    Raises:
        ConceptDataError: for the first label map that breaks the layout.
    """
    tally = Tally(dataset.concepts)
    for index in range(len(dataset)):
        tally.add(dataset.labels(index))
        if progress is not None:
            progress(index + 1, len(dataset))
    return tally.survey()


def out_of_reach(
    concepts: Iterable[ConceptSupport], pixels: int, *, quantile: float = QUANTILE, min_iou: float = MIN_IOU
) -> tuple[OutOfReach, ...]:
    """The concepts that cover too much for any unit to be named after them, most common first.

    A unit lights a share ``q`` of its cells over *all* images, so about ``q P`` of all ``P`` label pixels, and it may
    light them all on images that are labelled in the concept's category: then ``I <= A = q P``. With ``G`` pixels of
    the concept, ``A + G - I >= G``, so ``IoU <= min(q P, G) / G = min(1, q / p)`` where ``p = G / P`` is the concept's
    share of *all* pixels, not only of those labelled in its category. A cut ``t`` is in reach from ``q = t p``.

    "About", because the mask is cut from the upsampled map: its area is a share ``q`` of the cells only on average, and
    images count by their cells, which is the same as by their pixels where label maps are of one size.
    """
    too_common = []
    for support in concepts:
        share = support.pixels / pixels if pixels else 0.0
        if share > quantile and quantile / share < min_iou:
            too_common.append(OutOfReach(support.concept, share, quantile / share, _at_least(min_iou * share)))
    return tuple(sorted(too_common, key=lambda entry: (-entry.share, entry.concept.number)))


def _at_least(quantile: float) -> float:
    """The quantile rounded up to two figures: a number to type."""
    digits = 1 - math.floor(math.log10(quantile))
    # the small step back keeps 0.0075 from becoming 0.0076 by rounding errors
    return round(math.ceil(quantile * 10.0**digits - 1e-9) / 10.0**digits, digits)
