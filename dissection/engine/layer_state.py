"""The statistics of one layer while its dissection is under way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dissection.errors import require_finite
from dissection.execution.statistic import Bundle, Statistic

from .bounds import Bounds
from .cells import Cells, block, pieces
from .comparison import LayerComparison
from .compositions import Composing
from .evidence import NO_DRAWS, Draws, Gathering
from .evidence_blocks import EvidenceFile
from .exemplar_labels import ExemplarLabels
from .exemplars import Exemplars
from .lit_maps import LitMaps
from .naming import named
from .overlaps import Overlaps
from .peaks import PeakFile
from .signature_blocks import SignatureFile
from .thresholds import strong_values, thresholds
from .truth import TruthCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jaxtyping import Float32

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Dissection, Layer

    from .comparison import Compared
    from .exemplar_labels import Shown
    from .overlaps import Columns


class LayerState(Bundle[Statistic]):
    """The statistics of one layer, as one bundle.

    Args:
        layer: the layer.
        columns: the concepts that its units are compared with.
        images: number of images on all ranks.
        image_name: gives the name of an image, given its index.
        quantile: share of a unit's activations that count as strong.
        folder: folder for the kept cells.
        draws: of the evidence for names; without any, none is gathered.
    """

    def __init__(
        self,
        layer: Layer,
        columns: Columns,
        images: int,
        image_name: Callable[[int], str],
        quantile: float,
        folder: Path,
        *,
        draws: Draws = NO_DRAWS,
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
        self._draws = draws
        self._truth = TruthCounts(layer.units, columns)
        self._evidence = EvidenceFile(folder.with_name(f"{folder.name}-evidence") / "evidence")
        evidence: dict[str, Statistic] = {"truth": self._truth, "evidence": self._evidence} if draws.count else {}
        self._signatures = SignatureFile(folder.with_name(f"{folder.name}-evidence") / "signatures")
        self._peaks = PeakFile(folder.with_name(f"{folder.name}-evidence") / "peaks")
        signatures: dict[str, Statistic] = {"signatures": self._signatures} if self._composes else {}
        super().__init__(
            {
                "bounds": self._bounds,
                "exemplars": self._exemplars,
                "overlaps": self._overlaps,
                "cells": self._cells,
                **evidence,
                **signatures,
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
        """What compares the masks with labels, block by block."""
        return LayerComparison(
            self._cells,
            self._cells.places(),
            self._columns,
            self._thresholds,
            self._bounds.first,
            ExemplarLabels(self._columns, self._layer.height, self._layer.width, self._exemplars.cells()),
            gathers_evidence=self._draws.count > 0,
            gathers_signatures=self._composes,
            total=self._images,
        )

    def count(self, compared: Compared) -> None:
        """Take in what a comparison counted."""
        self._overlaps.add(compared.counts)
        self.show(compared.shown)
        if compared.evidence is not None:
            self._truth.add(compared.evidence.responses)
            self._evidence.add(compared.evidence)
        if compared.signatures is not None:
            self._signatures.add(compared.signatures)

    def show(self, shown: Shown) -> None:
        """Take in what some exemplars show."""
        self._exemplars.show(shown)

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

    def with_evidence(self, dissection: Dissection, blocks: Sequence[range], ranks: Ranks) -> Dissection:
        """The result with evidence for its names; every rank must call it.

        Args:
            dissection: what :meth:`named` returned.
            blocks: the images of each block that this rank compared.
            ranks: the processes that share the images.
        """
        if not self._draws.count:
            return dissection
        eligible = np.array([support.images >= dissection.min_images for support in dissection.concepts])
        lit_maps = LitMaps(self._cells, self._cells.places(), blocks, self._thresholds, self._bounds.first)
        gathering = Gathering(self._columns, eligible, self._truth, self._evidence, lit_maps, self._draws, ranks)
        units = gathering.units(dissection.units)
        if self._composes:
            composing = Composing(
                self._columns,
                eligible,
                dissection.min_images,
                self._signatures,
                self._evidence,
                self._peaks,
                lit_maps,
                self._draws,
                ranks,
            )
            units = composing.units(units)
        return replace(dissection, units=tuple(units), draws=self._draws.count)

    def clear(self) -> None:
        """Delete the files of a process that was killed before its first checkpoint."""
        self._cells.clear()
        self._evidence.clear()
        self._signatures.clear()
        self._peaks.clear()

    @property
    def _composes(self) -> bool:
        """Whether formulas are searched for: evidence decides on them."""
        return self._draws.count > 0 and self._draws.longest > 1
