"""What evidence for a layer's names is made of, image by image, on disk: written while masks and labels are compared.

Of every image: which units it lights and how strongly, and which concepts it carries. Of a sample of the images, which
is spread evenly: how much of each cell units light and concepts cover, for the permutation null.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load, save

from dissection.errors import CheckpointError
from dissection.execution.framed_file import frame_offsets, read_frame, write_frame

from .cell_tables import LabelledCells, LitCells, labelled_cells, lit_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float32, Float64, Int32

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Labels

    from .overlaps import Columns

MOST_IMAGES = 8192
"""Images in the sample: fewer than there are make the null conservative, and bound its time and memory."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceBlock:
    """What is known of a few images that follow each other; indices of images are counted from the first of them.

    Attributes:
        first: index of the first image.
        images: the image of each pair of an image and a unit that it lights, ascending.
        units: the unit of each pair.
        peaks: the greatest activation of each pair.
        carriers: the image of each pair of an image and a concept that it carries, ascending.
        carried: the concept of each pair, by column.
        sampled: images of the sample.
        lit: cells that units light in the sampled images, in their order.
        labelled: cells that concepts cover there.
    """

    first: int
    images: Int32[np.ndarray, " lit"]
    units: Int32[np.ndarray, " lit"]
    peaks: Float32[np.ndarray, " lit"]
    carriers: Int32[np.ndarray, " carried"]
    carried: Int32[np.ndarray, " carried"]
    sampled: Int32[np.ndarray, " sampled"]
    lit: LitCells
    labelled: LabelledCells

    def to_bytes(self) -> bytes:
        """As written to disk."""
        names = ("images", "units", "peaks", "carriers", "carried", "sampled")
        arrays = {name: getattr(self, name) for name in names} | {"first": np.array([self.first])}
        arrays |= {f"lit.{name}": getattr(self.lit, name) for name in LitCells.__slots__}
        arrays |= {f"labelled.{name}": getattr(self.labelled, name) for name in LabelledCells.__slots__}
        return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})

    @classmethod
    def from_bytes(cls, data: bytes) -> EvidenceBlock:
        """What :meth:`to_bytes` was called on."""
        arrays = load(data)
        lit = LitCells(**{name: arrays.pop(f"lit.{name}") for name in LitCells.__slots__})
        labelled = LabelledCells(**{name: arrays.pop(f"labelled.{name}") for name in LabelledCells.__slots__})
        return cls(int(arrays.pop("first")[0]), **arrays, lit=lit, labelled=labelled)


def evidence_block(
    first: int,
    labels: Sequence[Labels],
    columns: Columns,
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
    total: int,
) -> EvidenceBlock:
    """What is known of a few images.

    Args:
        first: index of the first image.
        labels: the labels of each image.
        columns: the order of the concepts.
        images: which image each map is of, counted from the first, ascending.
        units: which unit each map is of.
        maps: the maps that exceed their unit's threshold anywhere.
        thresholds: ``T_k`` of every unit.
        total: how many images there are.
    """
    covered = labelled_cells(labels, columns, *maps.shape[1:])
    area = maps.shape[1] * maps.shape[2]
    carried = np.unique(covered.cells // area * len(columns.numbers) + covered.columns)
    is_sampled = _sampled(np.arange(first, first + len(labels)), total)
    sampled = np.flatnonzero(is_sampled).astype(np.int32)
    lit_sampled = is_sampled[images]
    place = is_sampled.cumsum() - 1
    return EvidenceBlock(
        first,
        images,
        units,
        maps.reshape(len(maps), area).max(1, initial=-np.inf),
        (carried // len(columns.numbers)).astype(np.int32),
        (carried % len(columns.numbers)).astype(np.int32),
        sampled,
        lit_cells(place[images[lit_sampled]].astype(np.int32), units[lit_sampled], maps[lit_sampled], thresholds),
        _of_images(covered, is_sampled, place),
    )


def _sampled(images: np.ndarray, total: int) -> Bool[np.ndarray, " images"]:
    """Whether images are in the sample: all of them, or as many as it has room for, spread evenly."""
    room = min(total, MOST_IMAGES)
    return (images + 1) * room // total > images * room // total


def _of_images(covered: LabelledCells, chosen: Bool[np.ndarray, " images"], place: np.ndarray) -> LabelledCells:
    """The cells of some of the images, which are counted anew."""
    area = covered.sizes.shape[1]
    image, cell = np.divmod(covered.cells, area)
    entries = chosen[image]
    return LabelledCells(
        place[image[entries]] * area + cell[entries],
        covered.columns[entries],
        covered.pixels[entries],
        covered.sizes[chosen],
    )


class EvidenceFile:
    """The blocks of one layer, in the order in which they were compared.

    Args:
        folder: where the file is; made if missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "evidence"
        self._written = 0

    def add(self, block: EvidenceBlock) -> None:
        """Write a block behind the others."""
        with self._path.open("ab") as file:
            self._written += write_frame(file, block.to_bytes())

    def blocks(self) -> Iterator[EvidenceBlock]:
        """Every block, in order.

        Raises:
            CheckpointError: if one is not as it was written.
        """
        for offset in frame_offsets(self._path):
            yield EvidenceBlock.from_bytes(read_frame(self._path, offset))

    def pool(self, _ranks: Ranks) -> None:
        """Blocks stay with the rank that compared their images."""

    def state(self) -> dict[str, np.ndarray]:
        """How far the file is written."""
        return {"written": np.array([self._written])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state: what was written after it is cut off.

        Raises:
            CheckpointError: if less is there than the state says.
        """
        self._cut(int(state["written"][0]))

    def clear(self) -> None:
        """Delete what an earlier process left without a state to go back to."""
        self._cut(0)

    def _cut(self, written: int) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < written:
            raise CheckpointError(f"{self._path} is not whole; start the build again with --fresh")
        if size > written:
            os.truncate(self._path, written)
        self._written = written
