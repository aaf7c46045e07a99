"""Compares the kept cells of feature maps with the labels of the same images, block by block, in any process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .cells import place_of
from .evidence_blocks import evidence_block
from .lit_means import lit_means
from .overlap_counting import count_overlaps
from .signature_blocks import signature_block
from .signature_overlaps import overlaps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float32, Float64, Int32

    from dissection.vocabulary import Labels

    from .cells import Block, Cells
    from .evidence_blocks import EvidenceBlock
    from .exemplar_labels import ExemplarLabels, Shown
    from .overlaps import Columns, Counts
    from .signature_blocks import SignatureBlock


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What is found in a few images.

    Attributes:
        counts: how masks and labels overlap.
        lit_means: how strongly units are lit.
        shown: what those of them show that are exemplars.
        evidence: what evidence is made of, if it is gathered.
        signatures: what formulas are searched in, if they are.
    """

    counts: Counts
    lit_means: Float64[np.ndarray, "images units"]
    shown: Shown
    evidence: EvidenceBlock | None = None
    signatures: SignatureBlock | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LayerComparison:
    """Compares the masks of one layer with labels, and holds all that a worker needs for it."""

    cells: Cells
    places: Sequence[tuple[int, int]]
    columns: Columns
    thresholds: Float64[np.ndarray, " units"]
    first: Float32[np.ndarray, " units"]
    exemplars: ExemplarLabels
    gathers_evidence: bool
    gathers_signatures: bool
    total: int

    def read(self, number: int) -> Block:
        """The pairs of a block that have a mask; this saves memory, since the first blocks hold whole maps.

        Raises:
            CheckpointError: if the block is missing or damaged.
        """
        return self.cells.read(place_of(self.places, number)).above(self.thresholds)

    def count(self, kept: Block, labels: Sequence[Labels]) -> Compared:
        """What is counted of a block's images, whose labels these are."""
        images, units, maps = kept.images, kept.units, self.cells.maps(kept)
        plain = np.flatnonzero(kept.steady & (self.first > self.thresholds)).astype(np.int32)
        if len(plain):  # rare: units that were saturated all along
            images, units, maps = self._with_plain(plain, len(labels), images, units, maps)
        means = lit_means(images, units, maps, self.thresholds, len(labels))
        shown = self.exemplars.look_up(dict(enumerate(labels, kept.first)))
        compared = kept.first, labels, self.columns, images, units, maps, self.thresholds, self.total
        evidence = evidence_block(*compared) if self.gathers_evidence else None
        if self.gathers_signatures:
            signatures = signature_block(*compared)
            return Compared(overlaps_of(signatures, self.columns), means, shown, evidence, signatures)
        counts = count_overlaps(self.columns, labels, images, units, maps, self.thresholds)
        return Compared(counts, means, shown, evidence)

    def _with_plain(
        self,
        plain: Int32[np.ndarray, " plain"],
        batch: int,
        images: Int32[np.ndarray, " pairs"],
        units: Int32[np.ndarray, " pairs"],
        maps: Float32[np.ndarray, "pairs h w"],
    ) -> tuple[Int32[np.ndarray, " all"], Int32[np.ndarray, " all"], Float32[np.ndarray, "all h w"]]:
        """The pairs, and for every image the maps of the plain units, which hold one value only."""
        images = np.concatenate([images, np.repeat(np.arange(batch, dtype=np.int32), len(plain))])
        units = np.concatenate([units, np.tile(plain, batch)])
        flat = np.broadcast_to(self.first[np.tile(plain, batch), None, None], (batch * len(plain), *maps.shape[1:]))
        order = np.argsort(images, kind="stable")
        return images[order], units[order], np.concatenate([maps, flat])[order]


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Both sides of a comparison: the labels of a few images, and the kept cells of each layer."""

    labels: Sequence[Labels]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Compares the masks of all layers with labels, one numbered block of images at a time.

    Attributes:
        labels: reads the labels of an image, given its index.
        blocks: the images of each block.
        layers: the comparison of each layer.
    """

    labels: Callable[[int], Labels]
    blocks: Sequence[range]
    layers: Sequence[LayerComparison]

    def read(self, number: int) -> Sides:
        """Both sides of a block's comparison."""
        labels = [self.labels(index) for index in self.blocks[number]]
        return Sides(labels, [layer.read(number) for layer in self.layers])

    def count(self, sides: Sides) -> list[Compared]:
        """What is counted, by layer."""
        return [layer.count(block, sides.labels) for layer, block in zip(self.layers, sides.blocks, strict=True)]

    def read_exemplars(self, number: int) -> dict[int, Labels]:
        """The labels of those images of a block that are exemplars of any layer, by image."""
        images = (
            image for image in self.blocks[number] if any(image in layer.exemplars.cells for layer in self.layers)
        )
        return {image: self.labels(image) for image in images}

    def look_up(self, labels: Mapping[int, Labels]) -> list[Shown]:
        """What exemplars among some images show, by layer."""
        return [layer.exemplars.look_up(labels) for layer in self.layers]
