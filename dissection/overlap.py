"""Counts where units' masks and concepts' labels overlap: integers, summed over images, mergeable.

For concept c of category g, over all images (Bau et al. 2017, Sec. 2.3; SEMANTICS: union category by category)::

    I = sum |M and L_c|     G = sum |L_c|     A = sum over images with any label of g of |M|     IoU = I / (A + G - I)

``M = up(A_k) > T_k`` with ``up`` bilinear at half-pixel centres, clamped at the border, in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Bool, Float64, Int64

    from .concepts.dataset import Labels
    from .vocabulary import Concept

UPSAMPLING = "bilinear, half-pixel centres, float64"
"""How maps are upsampled: part of a run's key."""

_EXACT_IN_FLOAT32 = 2**24


def upsample(
    maps: Float64[np.ndarray, "n h w"],
    height: int,
    width: int,
    *,
    rows: Int64[np.ndarray, " H"] | None = None,
    columns: Int64[np.ndarray, " W"] | None = None,
) -> Float64[np.ndarray, "n H W"]:
    """Bilinear interpolation at half-pixel centres, clamped at the border; rows first, then columns.

    Each step is ``a + t (b - a)``, which gives ``a`` exactly where ``a = b`` and never leaves the interval between
    them: a plateau at the threshold does not rise above it by rounding.

    Args:
        maps: the maps.
        height: rows of pixels of the whole picture.
        width: columns of pixels of the whole picture.
        rows: the rows to give; all of them unless given.
        columns: the columns to give; all of them unless given.
    """
    return _stretch(_stretch(maps, height, rows, axis=1), width, columns, axis=2)


def _stretch(
    maps: Float64[np.ndarray, "n h w"], size: int, only: Int64[np.ndarray, " some"] | None, *, axis: int
) -> Float64[np.ndarray, "n ..."]:
    cells = maps.shape[axis]
    low, share = _places(cells, size)
    if only is not None:
        low, share = low[only], share[only]
    share = share.reshape([-1 if dimension == axis else 1 for dimension in range(3)])
    before = maps.take(low, axis)
    stretched: Float64[np.ndarray, "n ..."] = before + share * (
        maps.take(np.minimum(low + 1, cells - 1), axis) - before
    )
    return stretched


def outermost(cells: int, size: int) -> Int64[np.ndarray, " some"]:
    """Of each group of pixels that lie between the same two cells of a line, the first and the last."""
    low, _ = _places(cells, size)
    changes = np.flatnonzero(np.diff(low))
    return np.unique(np.concatenate([[0], changes, changes + 1, [size - 1]]))


def _places(cells: int, size: int) -> tuple[Int64[np.ndarray, " size"], Float64[np.ndarray, " size"]]:
    """The cell before each pixel's centre, and how far from it to the next one the centre is."""
    centres = np.clip((np.arange(size) + 0.5) * (cells / size) - 0.5, 0, cells - 1)
    low = np.floor(centres).astype(np.int64)
    return low, centres - low


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """The sums, all int64 and in pixels unless said otherwise.

    Attributes:
        intersection: ``I`` by unit and concept.
        unit_area: ``A`` by unit and category.
        concept_area: ``G`` by concept.
        concept_images: images that carry the concept, by concept.
        pixels: label-map pixels seen.
    """

    intersection: Int64[np.ndarray, "units concepts"]
    unit_area: Int64[np.ndarray, "units categories"]
    concept_area: Int64[np.ndarray, " concepts"]
    concept_images: Int64[np.ndarray, " concepts"]
    pixels: int


class Overlaps:
    """Sums the overlaps of all units of a layer with all concepts of a dataset, image by image.

    Args:
        units: number of units.
        concepts: the concepts by label number, ascending: the order of the counts.
        categories: the order of the categories.
    """

    def __init__(self, units: int, concepts: Mapping[int, Concept], categories: Sequence[str]) -> None:
        self._column = {number: column for column, number in enumerate(concepts)}
        self._category = np.array([categories.index(concept.category) for concept in concepts.values()], dtype=np.int64)
        self._intersection = np.zeros((units, len(concepts)), np.int64)
        self._unit_area = np.zeros((units, len(categories)), np.int64)
        self._concept_area = np.zeros(len(concepts), np.int64)
        self._concept_images = np.zeros(len(concepts), np.int64)
        self._pixels = 0

    def add(self, labels: Labels, units: Int64[np.ndarray, " active"], masks: Bool[np.ndarray, "active h w"]) -> None:
        """Take in one image: its labels, and the masks of the units that have one there."""
        columns, planes = self._planes(labels)
        areas = planes.sum(1)
        self._pixels += planes.shape[1]
        self._concept_area[columns] += areas
        self._concept_images[columns] += areas > 0
        present = np.unique(self._category[columns])
        lit = masks.reshape(len(units), planes.shape[1])
        self._unit_area[np.ix_(units, present)] += lit.sum(1)[:, None]
        self._intersection[np.ix_(units, columns)] += _matches(lit, planes)

    def merge(self, other: Overlaps) -> None:
        """Take in the sums over other images."""
        self._intersection += other._intersection
        self._unit_area += other._unit_area
        self._concept_area += other._concept_area
        self._concept_images += other._concept_images
        self._pixels += other._pixels

    def counts(self) -> Counts:
        """The sums so far."""
        return Counts(
            self._intersection.copy(),
            self._unit_area[:, self._category],
            self._concept_area.copy(),
            self._concept_images.copy(),
            self._pixels,
        )

    def _planes(self, labels: Labels) -> tuple[Int64[np.ndarray, " present"], Bool[np.ndarray, "present pixels"]]:
        """The concepts on the image and where each is, on any of the layers."""
        layers = labels.maps.reshape(len(labels.maps), math.prod(labels.maps.shape[1:]))
        numbers = np.union1d(np.unique(layers), np.array(labels.whole, dtype=np.int64)).astype(np.int64)
        numbers = numbers[numbers != 0]
        planes = (layers[None] == numbers[:, None, None]).any(1)
        planes |= np.isin(numbers, labels.whole)[:, None]
        return np.array([self._column[number] for number in numbers.tolist()], dtype=np.int64), planes


def _matches(
    lit: Bool[np.ndarray, "active pixels"], planes: Bool[np.ndarray, "present pixels"]
) -> Int64[np.ndarray, "active present"]:
    exact = np.float32 if lit.shape[1] <= _EXACT_IN_FLOAT32 else np.float64
    matches: Int64[np.ndarray, "active present"] = np.rint(lit.astype(exact) @ planes.T.astype(exact)).astype(np.int64)
    return matches
