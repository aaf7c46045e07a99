"""How strongly units respond in images that say something of what they stand for, and whether it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from safetensors.numpy import load

from dissection.execution.framed_file import frame_offsets, read_frame

from .block_file import BlockFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Bool, Float32, Int32, Int64

    from .evidence_blocks import EvidenceFile
    from .overlaps import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The responses in a few images that follow each other; what responds is a unit, or a unit's formula.

    Attributes:
        first: index of the first image.
        units: what responds, by number.
        strengths: the greatest activation of each response.
        hits: whether the image shows what the unit stands for.
        images: the image of each response, counted from the first.
    """

    first: int
    units: Int32[np.ndarray, " lit"]
    strengths: Float32[np.ndarray, " lit"]
    hits: Bool[np.ndarray, " lit"]
    images: Int32[np.ndarray, " lit"]

    def arrays(self) -> dict[str, np.ndarray]:
        """As written to disk."""
        names = ("units", "strengths", "hits", "images")
        return {name: getattr(self, name) for name in names} | {"first": np.array([self.first])}


class PeakSource(Protocol):
    """Responses in the images that this rank compared, which can be read as often as needed."""

    def blocks(self) -> Iterator[Peaks]:
        """All of them, block by block."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PeaksOfNames:
    """The responses of units in images that are labelled in the category of their best concept.

    Attributes:
        file: what this rank compared.
        best: the column of each unit's best concept; -1 where it has none.
        columns: the order of the concepts.
    """

    file: EvidenceFile
    best: Int64[np.ndarray, " units"]
    columns: Columns

    def blocks(self) -> Iterator[Peaks]:
        """All of them, block by block; a hit is an image that carries the concept."""
        categories = self.columns.categories
        for block in self.file.responses():
            images = int(max(block.images.max(initial=-1), block.carriers.max(initial=-1))) + 1
            carried = np.zeros((images, len(self.columns.numbers)), bool)
            carried[block.carriers, block.carried] = True
            labelled = np.zeros((images, self.columns.count), bool)
            labelled[block.carriers, categories[block.carried]] = True
            concept = self.best[block.units]
            counts = (concept >= 0) & labelled[block.images, categories[concept]]
            hits = carried[block.images, concept][counts]
            yield Peaks(block.first, block.units[counts], block.peaks[counts], hits, block.images[counts])


class PeakFile(BlockFile):
    """Responses on disk."""

    def add(self, block: Peaks) -> None:
        """Write a block behind the others."""
        self._append(block.arrays())

    def blocks(self) -> Iterator[Peaks]:
        """All of them, block by block.

        Raises:
            CheckpointError: if some are not as they were written.
        """
        for offset in frame_offsets(self._path):
            arrays = load(read_frame(self._path, offset))
            yield Peaks(int(arrays.pop("first")[0]), **arrays)
