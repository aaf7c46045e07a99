"""Where units are lit and where concepts are, cell by cell of a layer's own grid.

A unit lights a share of a cell: of the 4 x 4 points of a finer grid, those where the upsampled map exceeds the
threshold. A concept covers some pixels of it. Their product, summed over cells, is an overlap in sixteenths of a pixel:
an integer, so no sum depends on its order. On this grid an overlap takes one product of two sparse matrices, for any
assignment of labels to images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from dissection.execution.kernels import kernel

from .upsampling import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float32, Float64, Int32, Int64, UInt8, UInt32

    from dissection.vocabulary import Labels

    from .overlaps import Columns

FINER = 4
"""Points along a side of a cell at which a map is looked at."""

POINTS = FINER * FINER


@dataclass(frozen=True, slots=True, eq=False)
class LitCells:
    """How much of each cell each unit lights, of some images; one entry for each cell that is lit at all.

    Attributes:
        units: the unit of each entry.
        cells: its cell, counted through the images: ``image * area + cell``.
        points: how many of the cell's 16 points are lit.
    """

    units: Int32[np.ndarray, " entries"]
    cells: Int64[np.ndarray, " entries"]
    points: UInt8[np.ndarray, " entries"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCells:
    """How many pixels of each cell each concept covers, of some images; one entry for each that it covers at all.

    Attributes:
        cells: the cell of each entry, counted through the images: ``image * area + cell``.
        columns: its concept, by column.
        pixels: how many pixels of the cell the concept covers.
        sizes: pixels of each cell of each image.
    """

    cells: Int64[np.ndarray, " entries"]
    columns: Int32[np.ndarray, " entries"]
    pixels: Int32[np.ndarray, " entries"]
    sizes: Int32[np.ndarray, "images area"]


def lit_cells(
    images: Int32[np.ndarray, " pairs"],
    units: Int32[np.ndarray, " pairs"],
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " units"],
) -> LitCells:
    """The cells that units light.

    Args:
        images: which image each map is of, from 0.
        units: which unit each map is of.
        maps: the maps; only cells above the unit's threshold and their eight neighbours need to be right.
        thresholds: ``T_k`` of every unit.
    """
    points = np.zeros(maps.shape, np.uint8)
    vertical, horizontal = steps(maps.shape[1], FINER * maps.shape[1]), steps(maps.shape[2], FINER * maps.shape[2])
    _light(maps, thresholds[units], *vertical, *horizontal, points)
    area = maps.shape[1] * maps.shape[2]
    pairs, cells = np.nonzero(points.reshape(len(maps), area))
    return LitCells(
        units[pairs], images[pairs].astype(np.int64) * area + cells, points.reshape(len(maps), area)[pairs, cells]
    )


def labelled_cells(labels: Sequence[Labels], columns: Columns, height: int, width: int) -> LabelledCells:
    """The cells of a grid that concepts cover.

    Args:
        labels: the labels of each image.
        columns: the order of the concepts.
        height: rows of the grid.
        width: its columns.
    """
    place = np.full(int(columns.numbers.max(initial=0)) + 1, -1, np.int32)
    place[columns.numbers] = np.arange(len(columns.numbers))
    area = height * width
    entries = [_cover(one, place, len(columns.numbers), height, width) for one in labels]
    cells = [index * area + cell for index, (cell, _, _, _) in enumerate(entries)]
    return LabelledCells(
        np.concatenate([np.empty(0, np.int64), *cells]),
        np.concatenate([np.empty(0, np.int32), *(column for _, column, _, _ in entries)]),
        np.concatenate([np.empty(0, np.int32), *(pixels for _, _, pixels, _ in entries)]),
        np.stack([sizes for _, _, _, sizes in entries]) if entries else np.zeros((0, area), np.int32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CellTables:
    """Units and concepts on the cells of the same images.

    Attributes:
        columns: the order of the concepts.
        lit: sixteenths of each cell (column) that each unit (row) lights.
        labelled: pixels of each cell (row) that each concept (column) covers.
        sizes: pixels of each cell of each image.
    """

    columns: Columns
    lit: csr_array
    labelled: csr_array
    sizes: Int32[np.ndarray, "images area"]

    @classmethod
    def of(cls, units: int, columns: Columns, lit: LitCells, labelled: LabelledCells) -> CellTables:
        """The tables of some images."""
        images, area = labelled.sizes.shape
        return cls(
            columns,
            csr_array((lit.points.astype(np.int64), (lit.units, lit.cells)), (units, images * area)),
            csr_array(
                (labelled.pixels.astype(np.int64), (labelled.cells, labelled.columns)),
                (images * area, len(columns.numbers)),
            ),
            labelled.sizes,
        )

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.sizes)

    def carried(self) -> np.ndarray:
        """Whether each image carries each concept: ``(images, concepts)``."""
        entries = self.labelled.tocoo()
        carried = np.zeros((self.images, len(self.columns.numbers)), bool)
        carried[entries.row // self.sizes.shape[1], entries.col] = True
        return carried

    def categories(self) -> np.ndarray:
        """Whether each image is labelled in each category: ``(images, categories)``."""
        labelled = np.zeros((self.images, self.columns.count), bool)
        carried = self.carried()
        for category in range(self.columns.count):
            labelled[:, category] = carried[:, self.columns.categories == category].any(1)
        return labelled

    def strata(self) -> Int64[np.ndarray, " images"]:
        """A number for each image, the same for images that are labelled in the same categories."""
        return np.unique(self.categories(), axis=0, return_inverse=True)[1].reshape(-1)

    def unit_areas(self) -> Int64[np.ndarray, "units categories"]:
        """``A``: what each unit lights, in sixteenths of a pixel, of the images labelled in each category."""
        weights = self.sizes[:, :, None] * self.categories()[:, None].astype(np.int64)
        return np.asarray(self.lit @ weights.reshape(-1, self.columns.count))

    def concept_areas(self) -> Int64[np.ndarray, " concepts"]:
        """``G``: pixels of each concept."""
        return np.asarray(self.labelled.sum(0)).reshape(-1)

    def areas(self) -> Int64[np.ndarray, "units concepts"]:
        """``A + G`` of each unit and concept, in sixteenths of a pixel; their IoU is ``I / (A + G - I)``."""
        areas = self.unit_areas()[:, self.columns.categories] + POINTS * self.concept_areas()
        return np.asarray(areas)

    def lit_by_image(self) -> Int64[np.ndarray, "images units"]:
        """What each unit lights of each image, in sixteenths of a pixel."""
        entries = self.lit.tocoo()
        image, cell = np.divmod(entries.col, self.sizes.shape[1])
        lit = np.zeros((self.images, self.lit.shape[0]), np.int64)
        np.add.at(lit, (image, entries.row), entries.data * self.sizes[image, cell])
        return lit

    def covered_by_image(self) -> Int64[np.ndarray, "images concepts"]:
        """What each concept covers of each image, in sixteenths of a pixel."""
        entries = self.labelled.tocoo()
        covered = np.zeros((self.images, self.labelled.shape[1]), np.int64)
        np.add.at(covered, (entries.row // self.sizes.shape[1], entries.col), POINTS * entries.data)
        return covered

    def entries(self) -> Entries:
        """What kernels read."""
        lit, labelled, area = self.lit, self.labelled, self.sizes.shape[1]
        image, cell = np.divmod(lit.indices, area)
        return Entries(
            lit.indptr.astype(np.uint32),
            image.astype(np.uint32),
            cell.astype(np.uint32),
            lit.data.astype(np.uint32),
            labelled.indptr.astype(np.uint32),
            labelled.indices.astype(np.uint32),
            labelled.data.astype(np.uint32),
            area,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The entries of both tables, for kernels.

    The numbers are unsigned: a kernel then need not ask whether an index counts from the end, and takes half the time.

    Attributes:
        units: where what each unit lights begins, and its end.
        images: the image of each cell that a unit lights.
        cells: the cell within the image.
        points: sixteenths of it that are lit.
        rows: where the labels of each cell begin, counted through the images, and their end.
        columns: the concept of each label.
        pixels: how many pixels of the cell it covers.
        area: cells of an image.
    """

    units: UInt32[np.ndarray, " units_and_end"]
    images: UInt32[np.ndarray, " lit"]
    cells: UInt32[np.ndarray, " lit"]
    points: UInt32[np.ndarray, " lit"]
    rows: UInt32[np.ndarray, " cells_and_end"]
    columns: UInt32[np.ndarray, " labelled"]
    pixels: UInt32[np.ndarray, " labelled"]
    area: int

    def labelled_as(self, sources: Int64[np.ndarray, " images"]) -> UInt32[np.ndarray, " lit"]:
        """For each cell that a unit lights, the cell whose labels it meets where images have those of their sources."""
        first = (sources * self.area).astype(np.uint32)
        return np.asarray(first[self.images] + self.cells)


def _cover(
    labels: Labels, place: Int32[np.ndarray, " numbers"], concepts: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cells, columns and pixels of one image, and the pixels of each cell."""
    rows, columns = cells_of(labels.maps.shape[1], height), cells_of(labels.maps.shape[2], width)
    sizes = np.outer(np.bincount(rows, minlength=height), np.bincount(columns, minlength=width)).ravel()
    pixels = np.zeros((concepts, height * width), np.int32)
    whole = np.array([number for number in labels.whole if 0 <= number < len(place)], np.int64)
    _paint(labels.maps, place, rows, columns, width, pixels)
    covered = place[whole][place[whole] >= 0]
    pixels[covered] = sizes
    concept, cell = np.nonzero(pixels)
    return cell, concept.astype(np.int32), pixels[concept, cell], sizes.astype(np.int32)


def cells_of(pixels: int, cells: int) -> Int64[np.ndarray, " pixels"]:
    """The cell of each pixel of a line."""
    return np.arange(pixels) * cells // pixels


@kernel
def _paint(
    maps: Int32[np.ndarray, "layers H W"],
    place: Int32[np.ndarray, " numbers"],
    rows: Int64[np.ndarray, " H"],
    columns: Int64[np.ndarray, " W"],
    width: int,
    pixels: Int32[np.ndarray, "concepts area"],
) -> None:
    """Count the pixels of each concept in each cell; on several layers a concept counts once."""
    layers, height, length = maps.shape
    for y in range(height):
        for x in range(length):
            for layer in range(layers):
                number = maps[layer, y, x]
                if number <= 0 or number >= len(place) or place[number] < 0:
                    continue
                is_repeated = False
                for earlier in range(layer):
                    is_repeated |= maps[earlier, y, x] == number
                if not is_repeated:
                    pixels[place[number], rows[y] * width + columns[x]] += 1


@kernel
def _light(
    maps: Float32[np.ndarray, "pairs h w"],
    thresholds: Float64[np.ndarray, " pairs"],
    tops: Int64[np.ndarray, " h+1"],
    downs: Float64[np.ndarray, " H"],
    lefts: Int64[np.ndarray, " w+1"],
    rights: Float64[np.ndarray, " W"],
    points: UInt8[np.ndarray, "pairs h w"],
) -> None:
    """Count, in each cell of each map, the points of the finer grid that are lit."""
    pairs, height, width = maps.shape
    for pair in range(pairs):
        for row in range(height):
            for column in range(width):
                below, beside = min(row + 1, height - 1), min(column + 1, width - 1)
                a, b = np.float64(maps[pair, row, column]), np.float64(maps[pair, below, column])
                c, d = np.float64(maps[pair, row, beside]), np.float64(maps[pair, below, beside])
                if not max(a, b, c, d) > thresholds[pair]:
                    continue
                for y in range(tops[row], tops[row + 1]):
                    left, right = a + downs[y] * (b - a), c + downs[y] * (d - c)
                    for x in range(lefts[column], lefts[column + 1]):
                        if left + rights[x] * (right - left) > thresholds[pair]:
                            points[pair, y // FINER, x // FINER] += 1
