"""Names for units: the concepts that their masks overlap best (Bau et al. 2017, Sec. 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import ConceptSupport, Dissection, Overlap, Unit

from .overlaps import Columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64, Int64

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Concept, Layer

    from .exemplars import Exemplars
    from .overlaps import Counts

BEST = 10
"""Concepts kept for each unit, beside the best of each category."""


def named(
    layer: Layer,
    concepts: ConceptDataset,
    counts: Counts,
    thresholds: Float64[np.ndarray, " units"],
    exemplars: Exemplars,
    *,
    quantile: float,
    min_images: int,
) -> Dissection:
    """A layer's units with the concepts that their masks overlap best.

    Args:
        layer: the layer.
        concepts: the dataset.
        counts: the overlaps of all units with all concepts.
        thresholds: ``T_k`` by unit.
        exemplars: what excites each unit most.
        quantile: share of activations above each threshold.
        min_images: images a concept must be on to become a name.
    """
    categories = Columns.of(concepts.concepts, concepts.categories).categories
    values = list(concepts.concepts.values())
    return Dissection(
        layer=layer,
        quantile=quantile,
        min_images=min_images,
        images=len(concepts),
        pixels=counts.pixels,
        concepts=tuple(
            ConceptSupport(concept, int(images), int(area))
            for concept, images, area in zip(values, counts.concept_images, counts.concept_area, strict=True)
        ),
        units=tuple(
            Unit(
                unit,
                threshold,
                _best(unit, counts, categories, values, min_images),
                exemplars.of(unit, width=layer.width, name=concepts.image_name),
            )
            for unit, threshold in enumerate(thresholds.tolist())
        ),
    )


def _best(
    unit: int,
    counts: Counts,
    categories: Int64[np.ndarray, " concepts"],
    concepts: Sequence[Concept],
    min_images: int,
) -> tuple[Overlap, ...]:
    """The ten best concepts and the best of each category, among those with enough images that overlap at all."""
    columns = np.flatnonzero((counts.intersection[unit] > 0) & (counts.concept_images >= min_images))
    intersection, own = counts.intersection[unit, columns], categories[columns]
    areas = counts.unit_area[unit, own]
    ious = intersection / (areas + counts.concept_area[columns] - intersection)
    ranks = np.argsort(-ious, kind="stable")  # columns are in the order of label numbers
    best_of_each = np.unique(own[ranks], return_index=True)[1]
    kept = ranks[np.union1d(np.arange(min(BEST, len(ranks))), best_of_each)]
    return tuple(
        Overlap(
            concepts[columns[rank]],
            int(intersection[rank]),
            int(areas[rank]),
            int(counts.concept_area[columns[rank]]),
            int(counts.concept_images[columns[rank]]),
        )
        for rank in kept
    )
