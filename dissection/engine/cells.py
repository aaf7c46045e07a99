"""Keeps on disk the few cells of feature maps that can still matter once the thresholds are known.

A pixel of an upsampled map is a mean of four neighbouring cells, so only pixels around a cell above the threshold can
be lit. While the threshold is unknown, a lower bound stands in for it: cells above the bound are kept with their eight
neighbours, and the rest are discarded. So one forward pass is enough. As bounds rise, cells kept under lower bounds are
pruned; about q of all cells remain, with their neighbours, however many images there were.

The maps of a unit that is constant so far are not kept: its one value is enough.

Blocks of a few images lie one after another in files of some 64 MB. A file's blocks may be pruned at any time, even
with bounds that are newer than the checkpoint: they stay true, since the images that raised them will be seen again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load, save

from dissection.errors import CheckpointError
from dissection.execution.framed_file import frame_offsets, read_frame, write_frame
from dissection.execution.kernels import kernel
from dissection.execution.slices import in_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float, Float32, Int32, Int64, UInt8

    from dissection.execution.ranks import Ranks

    from .bounds import Bounds

_PIECE = 4
"""Images of a block: so few that a block is small even while every cell is kept, before there are bounds."""

_SEGMENT = 64 * 2**20
_ROOM = 512 * 2**20
"""Bytes that may pile up before pruning."""

_GROWTH = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The kept cells of the maps of a few images, as pairs of image and unit, ordered by image, then unit.

    Attributes:
        first: index of the first image.
        count: number of images, which are consecutive.
        steady: units that are constant so far, on these images too: their maps hold that one value only.
        images: by pair, the image, counted from ``first``.
        units: by pair, the unit.
        sizes: by pair, the number of kept cells.
        places: by pair, a bit for each cell of the map: whether it is kept.
        values: the kept cells, pair after pair.
    """

    first: int
    count: int
    steady: Bool[np.ndarray, " units"]
    images: Int32[np.ndarray, " pairs"]
    units: Int32[np.ndarray, " pairs"]
    sizes: Int32[np.ndarray, " pairs"]
    places: UInt8[np.ndarray, "pairs bytes"]
    values: Float32[np.ndarray, " kept"]

    def maps(self, height: int, width: int) -> Float32[np.ndarray, "pairs h w"]:
        """The pairs' maps; ``-inf`` where a cell was not kept."""
        return _unpack(self.places, self.values, height, width)

    def pruned(self, bounds: Float32[np.ndarray, " units"], height: int, width: int) -> Block:
        """The block without the cells that higher bounds rule out."""
        pairs = self.above(bounds)
        rows, only_unit = np.arange(len(pairs.units)), np.zeros(len(pairs.units), np.int64)
        packed = _pack(pairs.maps(height, width)[:, None], rows, only_unit, bounds[pairs.units])
        return Block(self.first, self.count, self.steady, pairs.images, pairs.units, *packed)

    def above(self, bounds: Float[np.ndarray, " units"]) -> Block:
        """The pairs whose maps exceed their unit's bound anywhere."""
        if not len(self.units):
            return self
        is_above = np.maximum.reduceat(self.values, self.sizes.cumsum() - self.sizes) > bounds[self.units]
        return self._chosen(is_above)

    def of(self, image: int, unit: int) -> Block:
        """The block with one pair only, or none if nothing is kept of it."""
        return self._chosen((self.images == image) & (self.units == unit))

    def _chosen(self, pairs: Bool[np.ndarray, " pairs"]) -> Block:
        images, units, sizes, places = (array[pairs] for array in (self.images, self.units, self.sizes, self.places))
        values = self.values[np.repeat(pairs, self.sizes)]
        return Block(self.first, self.count, self.steady, images, units, sizes, places, values)

    def to_bytes(self) -> bytes:
        """The block as it is written to disk."""
        arrays = {name: getattr(self, name) for name in ("images", "units", "sizes", "places", "values")}
        return save(
            arrays | {"range": np.array([self.first, self.count]), "steady": np.packbits(self.steady)},
            {"units": str(len(self.steady))},
        )

    @classmethod
    def from_bytes(cls, data: bytes, units: int) -> Block:
        """The block that :meth:`to_bytes` wrote."""
        arrays = load(data)
        first, count = arrays.pop("range").tolist()
        steady = np.unpackbits(arrays.pop("steady"), count=units).astype(bool)
        return cls(first, count, steady, **arrays)


def pieces(images: range) -> list[range]:
    """The images of a batch, split into blocks."""
    return [range(start, min(start + _PIECE, images.stop)) for start in range(images.start, images.stop, _PIECE)]


def block(
    first: int,
    maps: Float32[np.ndarray, "images units h w"],
    maxima: Float32[np.ndarray, "images units"],
    bounds: Bounds,
) -> Block:
    """The cells to keep of the maps of a few images, whose values ``bounds`` already includes."""
    steady = bounds.steady.copy()
    images, units = np.nonzero((maxima > bounds.lower) & ~steady)
    packed = _pack(maps, images, units, bounds.lower[units])
    return Block(first, len(maps), steady, images.astype(np.int32), units.astype(np.int32), *packed)


class Cells:
    """The kept cells of one layer, in the order in which batches were seen.

    Args:
        folder: folder of the files; created if missing.
        units: number of units.
        height: rows of a map.
        width: columns of a map.
    """

    def __init__(self, folder: Path, units: int, height: int, width: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._units = units
        self._height, self._width = height, width
        self._file = 0
        self._written = 0
        self._limit = _ROOM

    @property
    def area(self) -> int:
        """Cells of a map."""
        return self._height * self._width

    def add(self, block: Block) -> None:
        """Append a block."""
        with self._path(self._file).open("ab") as file:
            self._written += write_frame(file, block.to_bytes())

    def places(self) -> list[tuple[int, int]]:
        """The place of each block, in order, for :meth:`read`."""
        return [(number, offset) for number in range(self._file + 1) for offset in frame_offsets(self._path(number))]

    def read(self, place: tuple[int, int]) -> Block:
        """The block at a place.

        Raises:
            CheckpointError: if the block is damaged.
        """
        number, offset = place
        return Block.from_bytes(read_frame(self._path(number), offset), self._units)

    def maps(self, block: Block) -> Float32[np.ndarray, "pairs h w"]:
        """The maps of a block's pairs; ``-inf`` where a cell was not kept."""
        return block.maps(self._height, self._width)

    def pruned(self, block: Block, bounds: Float32[np.ndarray, " units"]) -> Block:
        """What bounds leave of a block: cells above them, and their neighbours."""
        return block.pruned(bounds, self._height, self._width)

    def blocks(self) -> Iterator[Block]:
        """Every block, in order."""
        return map(self.read, self.places())

    def pool(self, _ranks: Ranks) -> None:
        """Do nothing: cells stay with the rank that saw them, which compares the same images with labels."""

    def state(self) -> dict[str, np.ndarray]:
        """How far the files are written. A file that is large enough is closed first."""
        if self._written > _SEGMENT:
            self._file, self._written = self._file + 1, 0
        return {"files": np.array([self._file, self._written])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state, and cut off everything written after it.

        Raises:
            CheckpointError: if the files hold less than the state says.
        """
        self._cut(*state["files"].tolist())

    def clear(self) -> None:
        """Delete the files that an earlier process left without a state to go back to."""
        self._cut(0, 0)

    def _cut(self, file: int, written: int) -> None:
        self._file, self._written = file, written
        for path in self._folder.iterdir():
            if path.suffix != ".cells" or int(path.stem) > self._file:
                path.unlink()
        missing = [number for number in range(self._file) if not self._path(number).exists()]
        last = self._path(self._file)
        if missing or (last.stat().st_size if last.exists() else 0) < self._written:
            raise CheckpointError(f"{self._folder} is incomplete; start the build again with --fresh")
        if last.exists():
            os.truncate(last, self._written)

    def prune(self, bounds: Float32[np.ndarray, " units"]) -> None:
        """If much has piled up, discard the cells that higher bounds rule out, one file at a time to save disk space.

        Only files that the last :meth:`state` had closed are rewritten; that state must have been saved.
        """
        if self._size() <= self._limit:
            return
        for number in range(self._file):
            path = self._path(number)
            fresh = path.with_suffix(".new")
            with fresh.open("wb") as file:
                for offset in frame_offsets(path):
                    kept = self.read((number, offset))
                    write_frame(file, self.pruned(kept, bounds).to_bytes())
            fresh.replace(path)
        self._limit = max(_ROOM, int(_GROWTH * self._size()))

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self._folder.iterdir())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.cells"


def place_of(places: Sequence[tuple[int, int]], number: int) -> tuple[int, int]:
    """The place of a block.

    Raises:
        CheckpointError: if there are fewer blocks.
    """
    if number >= len(places):
        raise CheckpointError(
            f"a file of unfinished work lacks blocks: {number + 1} or more were written, {len(places)} are there; "
            "start the build again with --fresh"
        )
    return places[number]


def _pack(
    maps: Float32[np.ndarray, "images units h w"],
    images: Int64[np.ndarray, " pairs"],
    units: Int64[np.ndarray, " pairs"],
    bounds: Float32[np.ndarray, " pairs"],
) -> tuple[Int32[np.ndarray, " pairs"], UInt8[np.ndarray, "pairs bytes"], Float32[np.ndarray, " kept"]]:
    """The number, places and values of the cells above each pair's bound and of their neighbours."""
    pairs, area = len(images), maps.shape[2] * maps.shape[3]
    sizes = np.empty(pairs, np.int32)
    places = np.zeros((pairs, (area + 7) // 8), np.uint8)
    in_slices(_mark, pairs, maps, images, units, bounds, sizes, places, numbers=pairs * area)
    values = np.empty(sizes.sum(), np.float32)
    starts = sizes.cumsum() - sizes
    in_slices(_gather, pairs, maps, images, units, places, starts, values, numbers=pairs * area)
    return sizes, places, values


@kernel
def _mark(
    maps: Float32[np.ndarray, "images units h w"],
    images: Int64[np.ndarray, " pairs"],
    units: Int64[np.ndarray, " pairs"],
    bounds: Float32[np.ndarray, " pairs"],
    sizes: Int32[np.ndarray, " pairs"],
    places: UInt8[np.ndarray, "pairs bytes"],
    start: int,
    stop: int,
) -> None:
    _, _, height, width = maps.shape
    marked = np.zeros((height, width), np.bool_)
    for pair in range(start, stop):
        marked[:] = False
        image, unit = images[pair], units[pair]
        for y in range(height):
            for x in range(width):
                if maps[image, unit, y, x] > bounds[pair]:
                    marked[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = True
        sizes[pair] = marked.sum()
        for y in range(height):
            for x in range(width):
                if marked[y, x]:
                    cell = y * width + x
                    places[pair, cell >> 3] |= 1 << (cell & 7)


@kernel
def _gather(
    maps: Float32[np.ndarray, "images units h w"],
    images: Int64[np.ndarray, " pairs"],
    units: Int64[np.ndarray, " pairs"],
    places: UInt8[np.ndarray, "pairs bytes"],
    starts: Int64[np.ndarray, " pairs"],
    values: Float32[np.ndarray, " kept"],
    start: int,
    stop: int,
) -> None:
    _, _, height, width = maps.shape
    for pair in range(start, stop):
        index = starts[pair]
        for y in range(height):
            for x in range(width):
                cell = y * width + x
                if places[pair, cell >> 3] >> (cell & 7) & 1:
                    values[index] = maps[images[pair], units[pair], y, x]
                    index += 1


def _unpack(
    places: UInt8[np.ndarray, "pairs bytes"], values: Float32[np.ndarray, " kept"], height: int, width: int
) -> Float32[np.ndarray, "pairs h w"]:
    maps = np.full((len(places), height, width), -np.inf, np.float32)
    is_kept = np.unpackbits(places, axis=1, count=height * width, bitorder="little").astype(bool)
    maps.reshape(len(places), height * width)[is_kept] = values
    return maps
