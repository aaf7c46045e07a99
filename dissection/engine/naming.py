"""Names for units: the concepts that their masks overlap best (Bau et al. 2017, Sec. 2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import KEPT_OVERLAPS, ConceptSupport, Dissection, Overlap, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float64

    from dissection.vocabulary import Layer

    from .exemplars import Exemplars
    from .overlaps import Columns, Counts


def named(  # noqa: PLR0913 -- the parts of a dissection
    layer: Layer,
    columns: Columns,
    counts: Counts,
    thresholds: Float64[np.ndarray, " units"],
    exemplars: Exemplars,
    *,
    images: int,
    image_name: Callable[[int], str],
    quantile: float,
    min_images: int,
) -> Dissection:
    """A layer's units with the concepts that their masks overlap best.

    Args:
        layer: the layer.
        columns: the concepts.
        counts: the overlaps of all units with all concepts.
        thresholds: ``T_k`` by unit.
        exemplars: the images that excite each unit most.
        images: number of images.
        image_name: gives the name of an image, given its index.
        quantile: share of activations above each threshold.
        min_images: images a concept must appear in to become a name.
    """
    return Dissection(
        layer=layer,
        quantile=quantile,
        min_images=min_images,
        images=images,
        pixels=counts.pixels,
        concepts=tuple(
            ConceptSupport(concept, int(carriers), int(area))
            for concept, carriers, area in zip(
                columns.concepts, counts.concept_images, counts.concept_area, strict=True
            )
        ),
        units=tuple(
            Unit(
                unit,
                threshold,
                _best(unit, counts, columns, min_images),
                exemplars.of(unit, width=layer.width, name=image_name, concepts=columns.concepts),
            )
            for unit, threshold in enumerate(thresholds.tolist())
        ),
    )


def _best(unit: int, counts: Counts, columns: Columns, min_images: int) -> tuple[Overlap, ...]:
    """The ten best concepts and the best of each category, among those with enough images that overlap at all."""
    eligible = np.flatnonzero((counts.intersection[unit] > 0) & (counts.concept_images >= min_images))
    intersection, categories = counts.intersection[unit, eligible], columns.categories[eligible]
    areas = counts.unit_area[unit, categories]
    ious = intersection / (areas + counts.concept_area[eligible] - intersection)
    ranks = np.argsort(-ious, kind="stable")  # columns are in the order of label numbers
    best_of_categories = np.unique(categories[ranks], return_index=True)[1]
    kept = ranks[np.union1d(np.arange(min(KEPT_OVERLAPS, len(ranks))), best_of_categories)]
    return tuple(
        Overlap(
            columns.concepts[eligible[rank]],
            int(intersection[rank]),
            int(areas[rank]),
            int(counts.concept_area[eligible[rank]]),
            int(counts.concept_images[eligible[rank]]),
        )
        for rank in kept
    )
