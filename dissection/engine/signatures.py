"""Sums over images of what units light of each signature, half by half: areas of any formula are sums of these.

A row is a signature together with the categories that its image is labelled in, since a formula speaks only of images
that are labelled in the categories of all its concepts. Signatures saturate: there are some hundreds on scenes, however
many images there are. Where photographs have more than `MOST_SIGNATURES`, signatures are narrowed to the concepts that
matter most to some unit, see :func:`candidates`; of formulas of those nothing changes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel

from .halves import labelled_categories

if TYPE_CHECKING:
    from jaxtyping import Bool, Float64, Int32, Int64

    from dissection.execution.ranks import Ranks

    from .halves import Halves
    from .overlaps import Columns
    from .signature_blocks import SignatureBlock, SignatureFile

MOST_SIGNATURES = 8192
"""Rows of a table: they bound time and memory on photographs with many labels."""

_MOST_OF_A_KIND = 24
"""Concepts of each kind that a unit's formulas are made of, where there are many."""

_KINDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SignatureTable:
    """The rows of all images, and the pixels of each half.

    Attributes:
        columns: the order of the concepts.
        kept: concepts that signatures were narrowed to, by column.
        labelled: categories that the images of each row are labelled in.
        carried: which of the kept concepts the pixels of each row carry.
        areas: pixels of each row, by half: searched, held out.
        lit: pixels of each row that each unit lights, by half.
        numbers: the row of each signature, by what it is on disk.
    """

    columns: Columns
    kept: Int64[np.ndarray, " kept"]
    labelled: Bool[np.ndarray, "rows categories"]
    carried: Bool[np.ndarray, "rows kept"]
    areas: Int64[np.ndarray, "2 rows"]
    lit: Int64[np.ndarray, "2 units rows"]
    numbers: dict[bytes, int]

    def rows_of(self, block: SignatureBlock) -> Int64[np.ndarray, " signatures"]:
        """The row of each signature of a block."""
        return np.array([self.numbers[key] for key in _keys(block, self.columns, self.kept)], np.int64)


def signature_table(
    file: SignatureFile,
    units: int,
    columns: Columns,
    eligible: Bool[np.ndarray, " concepts"],
    halves: Halves,
    ranks: Ranks,
) -> tuple[SignatureTable, list[Int64[np.ndarray, " candidates"]]]:
    """The table of all images, and the columns of those concepts that formulas of each unit are made of.

    Every rank must call it, and gets the same.

    Args:
        file: the signatures of the images that this rank compared.
        units: number of units.
        columns: the order of the concepts.
        eligible: which concepts can be part of a name.
        halves: of the images.
        ranks: the processes that share the images.
    """
    singles = _Singles.of(file, units, columns, halves, ranks)
    count = _MOST_OF_A_KIND
    while True:
        chosen = [candidates(singles, unit, eligible, count) for unit in range(units)]
        kept = np.unique(np.concatenate([np.empty(0, np.int64), *chosen]))
        numbers = _numbers(file, columns, kept, ranks, most=MOST_SIGNATURES if count > 1 else sys.maxsize)
        if numbers is not None:
            return _table(file, units, columns, kept, numbers, halves, ranks), chosen
        count //= 2


@dataclass(frozen=True, slots=True, eq=False)
class _Singles:
    """How units overlap single concepts on the half that is searched.

    Attributes:
        columns: the order of the concepts.
        intersection: pixels in both.
        unit_areas: pixels of each unit on images labelled in each category.
        shared: pixels that two concepts share; on the diagonal those of one.
    """

    columns: Columns
    intersection: Int64[np.ndarray, "units concepts"]
    unit_areas: Int64[np.ndarray, "units categories"]
    shared: Int64[np.ndarray, "concepts concepts"]

    @classmethod
    def of(cls, file: SignatureFile, units: int, columns: Columns, halves: Halves, ranks: Ranks) -> _Singles:
        concepts = len(columns.numbers)
        intersection = np.zeros((units, concepts), np.int64)
        unit_areas = np.zeros((units, columns.count), np.int64)
        shared = np.zeros((concepts, concepts), np.int64)
        for block in file.blocks():
            labelled = labelled_categories(block, columns)
            _add_singles(
                block.starts, block.columns, block.areas, block.units, block.lit_signatures, block.lit_pixels,
                ~halves.is_held_out[block.first + block.owners], labelled[block.owners],
                intersection, unit_areas, shared,
            )  # fmt: skip
        sums = [ranks.sum(torch.from_numpy(part)).numpy() for part in (intersection, unit_areas, shared)]
        return cls(columns, *sums)

    def ious(self, unit: int) -> Float64[np.ndarray, " concepts"]:
        """The IoU of a unit with each concept."""
        union = self.unit_areas[unit, self.columns.categories] + np.diag(self.shared) - self.intersection[unit]
        return np.asarray(self.intersection[unit] / np.maximum(union, 1))


def candidates(
    singles: _Singles, unit: int, eligible: Bool[np.ndarray, " concepts"], count: int
) -> Int64[np.ndarray, " candidates"]:
    """The columns of the concepts that a unit's formulas are made of, ascending.

    All of those that can be part of a name, where there are at most three times ``count``. Otherwise ``count`` of each
    of three kinds: those of greatest IoU, those that cover most of the mask, and those that cover most of the concept
    of greatest IoU, from which they may be taken away. Ties go to the lower label number.
    """
    columns = np.flatnonzero(eligible)
    if len(columns) <= _KINDS * count:
        return columns
    ious = singles.ious(unit)[columns]
    best = columns[int(ious.argmax())]
    kinds = (ious, singles.intersection[unit, columns], singles.shared[best, columns])
    return np.unique(np.concatenate([columns[np.argsort(-kind, kind="stable")[:count]] for kind in kinds]))


def _keys(block: SignatureBlock, columns: Columns, kept: Int64[np.ndarray, " kept"]) -> list[bytes]:
    """What tells the rows of a block's signatures apart: categories, then the kept concepts by their places."""
    places = np.full(len(columns.numbers), -1, np.int32)
    places[kept] = np.arange(len(kept))
    carried = places[block.columns]
    ends = np.concatenate([[0], (carried >= 0).cumsum()])[block.starts]
    carried = carried[carried >= 0]
    labelled = [row.tobytes() for row in labelled_categories(block, columns)]
    return [
        labelled[owner] + carried[start:end].tobytes()
        for owner, start, end in zip(block.owners.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    ]


def _numbers(
    file: SignatureFile, columns: Columns, kept: Int64[np.ndarray, " kept"], ranks: Ranks, *, most: int
) -> dict[bytes, int] | None:
    """The rows of the signatures of all images, in one order on all ranks; ``None`` if there are more than ``most``."""
    keys: set[bytes] = set()
    for block in file.blocks():
        keys.update(_keys(block, columns, kept))
        if len(keys) > most:
            break
    everyones = set[bytes]().union(*ranks.gather(keys))
    if len(everyones) > most:
        return None
    return {key: number for number, key in enumerate(sorted(everyones))}


def _table(
    file: SignatureFile,
    units: int,
    columns: Columns,
    kept: Int64[np.ndarray, " kept"],
    numbers: dict[bytes, int],
    halves: Halves,
    ranks: Ranks,
) -> SignatureTable:
    labelled = np.zeros((len(numbers), columns.count), bool)
    carried = np.zeros((len(numbers), len(kept)), bool)
    for key, row in numbers.items():
        labelled[row] = np.frombuffer(key[: columns.count], bool)
        carried[row, np.frombuffer(key[columns.count :], np.int32)] = True
    areas, lit = np.zeros((2, len(numbers)), np.int64), np.zeros((2, units, len(numbers)), np.int64)
    table = SignatureTable(columns, kept, labelled, carried, areas, lit, numbers)
    for block in file.blocks():
        rows, half = table.rows_of(block), halves.is_held_out[block.first + block.owners].astype(np.int64)
        np.add.at(areas, (half, rows), block.areas)
        pairs = block.lit_signatures
        np.add.at(lit, (half[pairs], block.units, rows[pairs]), block.lit_pixels)
    for part in (areas, lit):
        part[:] = ranks.sum(torch.from_numpy(part)).numpy()
    return table


@kernel
def _add_singles(  # noqa: PLR0913, PLR0917
    starts: Int64[np.ndarray, " signatures_and_end"],
    columns: Int32[np.ndarray, " columns"],
    areas: Int64[np.ndarray, " signatures"],
    units: Int32[np.ndarray, " pairs"],
    lit_signatures: Int32[np.ndarray, " pairs"],
    lit_pixels: Int32[np.ndarray, " pairs"],
    searched: Bool[np.ndarray, " signatures"],
    labelled: Bool[np.ndarray, "signatures categories"],
    intersection: Int64[np.ndarray, "units concepts"],
    unit_areas: Int64[np.ndarray, "units categories"],
    shared: Int64[np.ndarray, "concepts concepts"],
) -> None:
    for signature in range(len(areas)):
        if searched[signature]:
            carried = columns[starts[signature] : starts[signature + 1]]
            for one in carried:
                for other in carried:
                    shared[one, other] += areas[signature]
    for pair in range(len(units)):
        unit, signature, pixels = units[pair], lit_signatures[pair], lit_pixels[pair]
        if searched[signature]:
            for column in columns[starts[signature] : starts[signature + 1]]:
                intersection[unit, column] += pixels
            for category in range(labelled.shape[1]):
                if labelled[signature, category]:
                    unit_areas[unit, category] += pixels
