"""The statistics of one layer while its dissection is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.errors import require_finite
from dissection.execution.statistic import Bundle, Statistic

from .bounds import Bounds
from .cells import Cells, block, pieces
from .comparison import LayerComparison
from .exemplars import Exemplars
from .naming import named
from .overlaps import Overlaps
from .thresholds import strong_values, thresholds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxtyping import Float32

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Dissection, Layer

    from .overlaps import Columns, Counts


class LayerState(Bundle[Statistic]):
    """The statistics of one layer, as one bundle.

    Args:
        layer: the layer.
        columns: the concepts that its units are compared with.
        images: number of images on all ranks.
        image_name: gives the name of an image, given its index.
        quantile: share of a unit's activations that count as strong.
        folder: folder for the kept cells.
    """

    def __init__(
        self,
        layer: Layer,
        columns: Columns,
        images: int,
        image_name: Callable[[int], str],
        quantile: float,
        folder: Path,
    ) -> None:
        self._layer = layer
        self._columns = columns
        self._images = images
        self._image_name = image_name
        self._quantile = quantile
        self._strong = strong_values(quantile, images * layer.height * layer.width)
        self._bounds = Bounds(layer.units, self._strong)
        self._exemplars = Exemplars(layer.units)
        self._overlaps = Overlaps(layer.units, columns)
        self._cells = Cells(folder, layer.units, layer.height, layer.width)
        self._thresholds = np.empty(0)
        super().__init__(
            {
                "bounds": self._bounds,
                "exemplars": self._exemplars,
                "overlaps": self._overlaps,
                "cells": self._cells,
            }
        )

    def add(self, images: range, maps: Float32[np.ndarray, "images units h w"]) -> None:
        """Add the maps of a batch.

        Raises:
            ActivationError: if one holds a NaN or an infinity; the message names the image.
        """
        flat = maps.reshape(*maps.shape[:2], -1)
        maxima, finite = self._bounds.add(flat)
        require_finite(finite.tolist(), self._layer.name, map(self._image_name, images))
        self._exemplars.add(images, flat, maxima)
        for piece in pieces(images):
            rows = slice(piece.start - images.start, piece.stop - images.start)
            self._cells.add(block(piece.start, maps[rows], maxima[rows], self._bounds))

    def share_bounds(self, ranks: Ranks) -> None:
        """Exchange bounds with the other ranks, so that no rank keeps cells that another rank can rule out."""
        self._bounds.raise_to(self._bounds.shared(ranks))

    def prune(self) -> None:
        """Discard cells that can no longer matter; the last state must have been saved."""
        self._cells.prune(self._bounds.lower)

    def find_thresholds(self, ranks: Ranks) -> None:
        """Find the thresholds from the maps of all ranks, once every image was seen; every rank must call it."""
        self._bounds.pool(ranks)
        self._thresholds = thresholds(self._cells, self._bounds, self._strong, ranks)

    def comparison(self) -> LayerComparison:
        """A comparison of the masks with labels, block by block."""
        return LayerComparison(self._cells, self._cells.places(), self._columns, self._thresholds, self._bounds.first)

    def count(self, counts: Counts) -> None:
        """Add the counts of a comparison."""
        self._overlaps.add(counts)

    def named(self, min_images: int) -> Dissection:
        """The result, once everything is counted and pooled."""
        return named(
            self._layer,
            self._columns,
            self._overlaps.counts(),
            self._thresholds,
            self._exemplars,
            images=self._images,
            image_name=self._image_name,
            quantile=self._quantile,
            min_images=min_images,
        )

    def clear(self) -> None:
        """Delete the files of a process that was killed before its first checkpoint."""
        self._cells.clear()
