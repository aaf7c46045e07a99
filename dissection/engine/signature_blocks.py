"""How much units light of each signature, image by image, on disk: written while masks and labels are compared.

A pixel's signature is the set of concepts that it carries, over all categories. Whether a formula of concepts holds at
a pixel depends on its signature only, so the areas of any formula are sums over signatures: exact, without bitmaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load

from dissection.execution.framed_file import frame_offsets, read_frame
from dissection.execution.kernels import kernel

from .block_file import BlockFile
from .cell_tables import cells_of
from .evidence_blocks import in_sample
from .overlap_counting import match
from .upsampling import steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float32, Float64, Int32, Int64

    from dissection.vocabulary import Labels

    from .overlaps import Columns

_TIMES = 1000003
"""Multiplier of a hash of whole numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class SignatureBlock:
    """The signatures of a few images that follow each other; indices of images are counted from the first of them.

    Attributes:
        first: index of the first image.
        owners: the image of each signature, ascending. A signature on two images is there twice.
        areas: its pixels.
        starts: where the concepts of each signature begin, and their number.
        columns: the concepts, by column, ascending for each signature.
        units: the unit of each pair of a unit and a signature of which it lights some pixels.
        lit_signatures: the signature of each pair.
        lit_pixels: how many pixels of it the unit lights.
        cells: cells of a layer's grid that signatures cover, in those images that are in the sample, counted through
            these: ``image * area + cell``.
        cell_signatures: the signature of each entry.
        cell_pixels: how many pixels of the cell have it.
    """

    first: int
    owners: Int32[np.ndarray, " signatures"]
    areas: Int64[np.ndarray, " signatures"]
    starts: Int64[np.ndarray, " signatures_and_end"]
    columns: Int32[np.ndarray, " columns"]
    units: Int32[np.ndarray, " pairs"]
    lit_signatures: Int32[np.ndarray, " pairs"]
    lit_pixels: Int32[np.ndarray, " pairs"]
    cells: Int64[np.ndarray, " entries"]
    cell_signatures: Int32[np.ndarray, " entries"]
    cell_pixels: Int32[np.ndarray, " entries"]

    def arrays(self) -> dict[str, np.ndarray]:
        """As written to disk."""
        return {name: np.asarray(getattr(self, name)) for name in self.__slots__ if name != "first"} | {
            "first": np.array([self.first])
        }


def signature_block(
    first: int,
    labels: Sequence[Labels],
    columns: Columns,
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
    total: int,
) -> SignatureBlock:
    """The signatures of a few images; the arguments are those of `evidence_block`."""
    place = np.full(int(columns.numbers.max(initial=0)) + 1, -1)
    place[columns.numbers] = np.arange(len(columns.numbers))
    edges = np.searchsorted(images, np.arange(len(labels) + 1))
    is_sampled = in_sample(np.arange(first, first + len(labels)), total)
    height, width = maps.shape[1:]
    owners, areas, signatures, pairs, entries = [], [], [], [], []
    before = sampled = 0
    for image, image_labels in enumerate(labels):
        numbers, of_image = _signatures(image_labels, place)
        count = len(of_image)
        of_pairs = slice(edges[image], edges[image + 1])
        lit = _lit(numbers, count, maps[of_pairs], thresholds[units[of_pairs]])
        pair, signature = np.nonzero(lit)
        pairs.append((units[of_pairs][pair], signature + before, lit[pair, signature]))
        if is_sampled[image]:
            pixels = _by_cell(numbers, count, height, width)
            cell, signature = np.nonzero(pixels)
            entries.append((cell + sampled * height * width, signature + before, pixels[cell, signature]))
            sampled += 1
        owners.append(np.full(count, image))
        areas.append(np.bincount(numbers.ravel(), minlength=count))
        signatures += of_image
        before += count
    return SignatureBlock(
        first,
        np.concatenate(owners).astype(np.int32),
        np.concatenate(areas),
        np.cumsum([0, *map(len, signatures)]),
        np.array([column for signature in signatures for column in signature], np.int32),
        *(np.concatenate(parts).astype(np.int32) for parts in zip(*pairs, strict=True)),
        *_entries(entries),
    )


class SignatureFile(BlockFile):
    """The blocks of one layer, in the order in which they were compared."""

    def add(self, block: SignatureBlock) -> None:
        """Write a block behind the others."""
        self._append(block.arrays())

    def blocks(self) -> Iterator[SignatureBlock]:
        """Every block, in order.

        Raises:
            CheckpointError: if some are not as they were written.
        """
        for offset in frame_offsets(self._path):
            arrays = load(read_frame(self._path, offset))
            yield SignatureBlock(int(arrays.pop("first")[0]), **arrays)


def _entries(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    kinds = (np.int64, np.int32, np.int32)
    if not parts:
        return [np.empty(0, kind) for kind in kinds]
    return [np.concatenate(arrays).astype(kind) for arrays, kind in zip(zip(*parts, strict=True), kinds, strict=True)]


def _signatures(
    labels: Labels, place: Int64[np.ndarray, " numbers"]
) -> tuple[Int32[np.ndarray, "H W"], list[tuple[int, ...]]]:
    """The signature of each pixel of an image, by number, and the columns of each."""
    layers, height, width = labels.maps.shape
    combined = np.empty((height, width), np.int32)
    combinations = np.empty((height * width, layers), np.int32)
    count = _combine(labels.maps, place, combined, combinations)
    whole = {int(place[number]) for number in labels.whole if 0 <= number < len(place)}
    known: dict[tuple[int, ...], int] = {}
    renumbered = [
        known.setdefault(tuple(sorted((set(columns) | whole) - {-1})), len(known))
        for columns in combinations[:count].tolist()
    ]
    return np.array(renumbered, np.int32)[combined], list(known)


def _lit(
    numbers: Int32[np.ndarray, "H W"],
    count: int,
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " pairs"],
) -> Int64[np.ndarray, "pairs signatures"]:
    """How many pixels of each signature each map lights."""
    lit = np.zeros((len(maps), count), np.int64)
    vertical, horizontal = steps(maps.shape[1], len(numbers)), steps(maps.shape[2], numbers.shape[1])
    _match_all(maps, thresholds, numbers[:, :, None], *vertical, *horizontal, lit)
    return lit


def _by_cell(
    numbers: Int32[np.ndarray, "H W"], count: int, height: int, width: int
) -> Int64[np.ndarray, "area signatures"]:
    """How many pixels of each cell of a grid have each signature."""
    rows, columns = cells_of(numbers.shape[0], height), cells_of(numbers.shape[1], width)
    cells = rows[:, None] * width + columns
    area = height * width
    return np.bincount((cells * count + numbers).ravel(), minlength=area * count).reshape(area, count)


@kernel
def _combine(
    numbers: Int32[np.ndarray, "layers H W"],
    place: Int64[np.ndarray, " numbers"],
    combined: Int32[np.ndarray, "H W"],
    combinations: Int32[np.ndarray, "pixels layers"],
) -> int:
    """Number the combinations of columns that pixels carry on their layers; returns how many there are."""
    layers, height, width = numbers.shape
    size = 16
    while size < 2 * height * width:
        size *= 2
    table = np.full(size, -1)
    columns = np.empty(layers, np.int64)
    count = previous = 0
    for y in range(height):
        for x in range(width):
            is_same = count > 0
            for layer in range(layers):
                number = numbers[layer, y, x]
                columns[layer] = place[number] if 0 <= number < len(place) else -1
                is_same = is_same and columns[layer] == combinations[previous, layer]
            if not is_same:
                key = 0
                for layer in range(layers):
                    key = (key * _TIMES + columns[layer] + 2) % size
                while table[key] >= 0 and (combinations[table[key]] != columns).any():
                    key = (key + 1) % size
                if table[key] < 0:
                    table[key] = count
                    combinations[count] = columns
                    count += 1
                previous = table[key]
            combined[y, x] = previous
    return count


@kernel
def _match_all(
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " pairs"],
    numbers: Int32[np.ndarray, "H W 1"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    lit: Int64[np.ndarray, "pairs signatures"],
) -> None:
    for pair in range(len(maps)):
        match(maps[pair], thresholds[pair], numbers, tops, downs, lefts, rights, lit[pair])
