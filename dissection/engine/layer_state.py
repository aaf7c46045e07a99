"""What is known of one layer while its dissection is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.checkpoint import nested, unnested
from dissection.networks.tap import check_finite

from .bounds import Bounds
from .cells import Cells, block, pieces
from .comparison import Counting
from .exemplars import Exemplars
from .naming import named
from .overlaps import Columns, Overlaps
from .thresholds import strong_values, thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxtyping import Float32

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Dissection, Layer

    from .overlaps import Counts


class Part:
    """What is known of one layer."""

    def __init__(self, layer: Layer, concepts: ConceptDataset, quantile: float, folder: Path) -> None:
        self._layer = layer
        self._concepts = concepts
        self._quantile = quantile
        self._strong = strong_values(quantile, len(concepts) * layer.height * layer.width)
        self._bounds = Bounds(layer.units, self._strong)
        self._exemplars = Exemplars(layer.units)
        self._columns = Columns.of(concepts.concepts, concepts.categories)
        self._overlaps = Overlaps(layer.units, self._columns)
        self._cells = Cells(folder, layer.units, layer.height, layer.width)
        self._thresholds = np.empty(0)

    def look(self, images: range, maps: Float32[np.ndarray, "images units h w"]) -> None:
        """Take in the maps of a batch."""
        flat = maps.reshape(*maps.shape[:2], -1)
        maxima, finite = self._bounds.add(flat)
        check_finite(finite.tolist(), self._layer, map(self._concepts.image_name, images))
        self._exemplars.add(images, flat, maxima)
        for piece in pieces(images):
            own = slice(piece.start - images.start, piece.stop - images.start)
            self._cells.add(block(piece.start, maps[own], maxima[own], self._bounds))

    def share(self, ranks: Ranks) -> None:
        """Tell the other ranks the bounds, so that no rank keeps what the others know not to matter."""
        self._bounds.raise_to(self._bounds.shared(ranks))

    def prune(self) -> None:
        """Forget what cannot matter any more."""
        self._cells.prune(self._bounds.lower)

    def find_thresholds(self, ranks: Ranks) -> None:
        """From what all ranks have seen."""
        self._thresholds = thresholds(self._cells, self._bounds, self._strong, ranks)

    def counting(self) -> Counting:
        """The comparison of masks with labels, batch by batch."""
        return Counting(self._cells, self._cells.places(), self._columns, self._thresholds, self._bounds.first)

    def add(self, counts: Counts) -> None:
        """Take in the counts of a batch."""
        self._overlaps.add(counts)

    def pool(self, ranks: Ranks) -> None:
        """Take in what all ranks have counted; every rank must ask."""
        self._exemplars.pool(ranks)
        self._overlaps.pool(ranks)

    def named(self, min_images: int) -> Dissection:
        """The result."""
        return named(
            self._layer,
            self._concepts,
            self._overlaps.counts(),
            self._thresholds,
            self._exemplars,
            quantile=self._quantile,
            min_images=min_images,
        )

    def clear(self) -> None:
        """Forget what a process left behind that was killed before its first checkpoint."""
        self._cells.clear()

    def state(self) -> dict[str, np.ndarray]:
        """All of it, as arrays."""
        return nested(
            bounds=self._bounds.state(),
            exemplars=self._exemplars.state(),
            overlaps=self._overlaps.state(),
            cells=self._cells.state(),
        )

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what a state was taken from."""
        self._bounds.restore(unnested(state, "bounds"))
        self._exemplars.restore(unnested(state, "exemplars"))
        self._overlaps.restore(unnested(state, "overlaps"))
        self._cells.restore(unnested(state, "cells"))
