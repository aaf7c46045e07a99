"""What evidence for a layer's names is made of, image by image, on disk: written while masks and labels are compared.

Of every image: which units it lights and how strongly, and which concepts it carries. Of a sample of the images, which
is spread evenly: how much of each cell units light and concepts cover, for the permutation null.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load

from dissection.execution.framed_file import frame_offsets, read_frame
from dissection.vocabulary import MOST_SAMPLED

from .block_file import BlockFile
from .cell_tables import LabelledCells, LitCells, labelled_cells, lit_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Bool, Float32, Float64, Int32, Int64

    from dissection.vocabulary import Labels

    from .overlaps import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """What a few images that follow each other light and carry; indices of images are counted from the first of them.

    Attributes:
        first: index of the first image.
        images: the image of each pair of an image and a unit that it lights, ascending.
        units: the unit of each pair.
        peaks: the greatest activation of each pair.
        carriers: the image of each pair of an image and a concept that it carries, ascending.
        carried: the concept of each pair, by column.
    """

    first: int
    images: Int32[np.ndarray, " lit"]
    units: Int32[np.ndarray, " lit"]
    peaks: Float32[np.ndarray, " lit"]
    carriers: Int32[np.ndarray, " carried"]
    carried: Int32[np.ndarray, " carried"]

    def strengths(self, images: int, units: Int64[np.ndarray, " chosen"]) -> Float32[np.ndarray, "chosen images"]:
        """The greatest activation of some units in each image that they light; elsewhere -inf.

        Args:
            images: how many images there are.
            units: the units, each as often as it is asked for.
        """
        count = max(int(units.max(initial=-1)), int(self.units.max(initial=-1))) + 1
        strengths = np.full((count, images), -np.inf, np.float32)
        strengths[self.units, self.images] = self.peaks
        return np.asarray(strengths[units])

    def arrays(self) -> dict[str, np.ndarray]:
        """As written to disk."""
        names = ("images", "units", "peaks", "carriers", "carried")
        return {name: getattr(self, name) for name in names} | {"first": np.array([self.first])}


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What is on the cells of those images of a block that are in the sample.

    Attributes:
        first: index of the block's first image.
        lit: cells that units light in the sampled images, in their order.
        labelled: cells that concepts cover there.
    """

    first: int
    lit: LitCells
    labelled: LabelledCells

    def arrays(self) -> dict[str, np.ndarray]:
        """As written to disk."""
        lit = {f"lit.{name}": getattr(self.lit, name) for name in LitCells.__slots__}
        labelled = {f"labelled.{name}": getattr(self.labelled, name) for name in LabelledCells.__slots__}
        return lit | labelled | {"first": np.array([self.first])}


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceBlock:
    """What is known of a few images that follow each other."""

    responses: Responses
    sample: Sample


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
    carries = np.zeros((len(labels), len(columns.numbers)), bool)
    carries[covered.cells // area, covered.columns] = True
    carriers, carried = np.nonzero(carries)
    peaks = maps.reshape(len(maps), area).max(1, initial=-np.inf)
    responses = Responses(first, images, units, peaks, carriers.astype(np.int32), carried.astype(np.int32))
    is_sampled = in_sample(np.arange(first, first + len(labels)), total)
    if is_sampled.all():
        return EvidenceBlock(responses, Sample(first, lit_cells(images, units, maps, thresholds), covered))
    pairs, place = is_sampled[images], is_sampled.cumsum() - 1
    lit = lit_cells(place[images[pairs]].astype(np.int32), units[pairs], maps[pairs], thresholds)
    return EvidenceBlock(responses, Sample(first, lit, _of_images(covered, is_sampled, place)))


def in_sample(images: np.ndarray, total: int) -> Bool[np.ndarray, " images"]:
    """Whether images are in the sample: all of them, or as many as it has room for, spread evenly."""
    room = min(total, MOST_SAMPLED)
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


class EvidenceFile(BlockFile):
    """The blocks of one layer, in the order in which they were compared."""

    def add(self, block: EvidenceBlock) -> None:
        """Write a block behind the others."""
        self._append(block.responses.arrays(), block.sample.arrays())

    def responses(self) -> Iterator[Responses]:
        """The responses of every block, in order.

        Raises:
            CheckpointError: if some are not as they were written.
        """
        for offset in islice(frame_offsets(self._path), 0, None, 2):
            arrays = load(read_frame(self._path, offset))
            yield Responses(int(arrays.pop("first")[0]), **arrays)

    def samples(self) -> Iterator[Sample]:
        """The sampled images of every block that has any, in order.

        Raises:
            CheckpointError: if some are not as they were written.
        """
        for offset in islice(frame_offsets(self._path), 1, None, 2):
            arrays = load(read_frame(self._path, offset))
            lit = LitCells(*(arrays[f"lit.{name}"] for name in LitCells.__slots__))
            labelled = LabelledCells(*(arrays[f"labelled.{name}"] for name in LabelledCells.__slots__))
            if len(labelled.sizes):
                yield Sample(int(arrays["first"][0]), lit, labelled)
