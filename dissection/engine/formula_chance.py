"""How likely a formula is by chance: the same search where label tables are dealt anew among images.

As :mod:`dissection.engine.chance` does for single concepts: on cells, within strata, and here of the half in which
formulas are searched for. What a unit lights of a cell is spread over the signatures of the cell's pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from operator import itemgetter, or_
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from dissection.execution.kernels import kernel
from dissection.execution.threads import in_threads

from .cell_tables import POINTS, CellTables, LitCells
from .chance import dealt, p_values
from .evidence_blocks import in_sample
from .formula_search import FormulaSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jaxtyping import Float64, Int64, UInt32

    from dissection.execution.ranks import Ranks

    from .cell_tables import Entries
    from .evidence_blocks import EvidenceFile
    from .halves import Halves
    from .signature_blocks import SignatureFile
    from .signatures import SignatureTable

SEARCHES = 19
"""Searches over labels that were dealt anew, at most: beyond them the tail of a Gumbel distribution says more."""

_DEALT = 3


def formula_chances(
    candidates: Mapping[int, Int64[np.ndarray, " candidates"]],
    longest: int,
    table: SignatureTable,
    signatures: SignatureFile,
    evidence: EvidenceFile,
    halves: Halves,
    ranks: Ranks,
    *,
    draws: int,
) -> dict[int, Float64[np.ndarray, " lengths"]]:
    """How likely as great an IoU is by chance, by unit: for formulas of up to 2 concepts, up to 3 and so on.

    Every rank must call it, and gets the same.

    Args:
        candidates: places of the concepts that the formulas of each unit are made of.
        longest: concepts of the longest formula.
        table: the rows of signatures.
        signatures: those of the images that this rank compared.
        evidence: the cells that units light there.
        halves: of the images.
        ranks: the processes that share the images.
        draws: searches over dealt labels.
    """
    sampled = [
        part for of_rank in ranks.gather(list(_samples(table, signatures, evidence, halves))) for part in of_rank
    ]
    if not candidates or not sampled:
        return {}
    cells = _table_of(sorted(sampled, key=itemgetter(0)), table, len(table.lit[0]))
    images = np.concatenate([part[1] for part in sorted(sampled, key=itemgetter(0))])
    strata = halves.strata[images]
    areas = POINTS * np.asarray(cells.labelled.sum(0), np.int64).reshape(-1)
    categories = table.columns.categories[table.kept]
    null = _Null(
        cells.entries(), FormulaSearch.of(table.carried, table.labelled, categories, areas), candidates, longest
    )
    observed = null(np.arange(len(images)))
    mine = range(ranks.number, draws, ranks.count)
    sources = (dealt(strata, np.random.default_rng([halves.seed, _DEALT, draw])) for draw in mine)
    drawn = dict(zip(mine, in_threads(null, sources), strict=True))
    everyones = reduce(or_, ranks.gather(drawn))
    maxima = np.stack([everyones[draw] for draw in range(draws)])
    p = [p_values(observed[:, length], maxima[:, :, length]) for length in range(longest - 1)]
    return dict(zip(candidates, np.stack(p, 1), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Null:
    """The greatest IoU of some units, of formulas up to each length, where images have the labels of their sources.

    Attributes:
        entries: units and signatures on cells.
        search: for formulas, where areas are in sixteenths of a pixel.
        candidates: places of the concepts, by unit.
        longest: concepts of the longest formula.
    """

    entries: Entries
    search: FormulaSearch
    candidates: Mapping[int, Int64[np.ndarray, " candidates"]]
    longest: int

    def __call__(self, sources: Int64[np.ndarray, " images"]) -> Float64[np.ndarray, "units lengths"]:
        entries, units = self.entries, np.array(list(self.candidates), np.int64)
        lit = np.zeros((len(units), len(self.search.areas)), np.int64)
        met = entries.labelled_as(sources)
        _share(units, entries.units, met, entries.points, entries.rows, entries.columns, entries.pixels, lit)
        greatest = np.zeros((len(units), self.longest - 1))
        for unit, (of_unit, places) in enumerate(zip(lit, self.candidates.values(), strict=True)):
            for one in self.search.best(of_unit, places, self.longest):
                greatest[unit, max(0, len(one.terms) - 2) :] = one.areas.iou
        return greatest


_Part = tuple[int, np.ndarray, LitCells, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _samples(
    table: SignatureTable, signatures: SignatureFile, evidence: EvidenceFile, halves: Halves
) -> Iterator[_Part]:
    """Of each block with sampled images that are searched: their indices, and what is on their cells."""
    samples, total = evidence.samples(), len(halves.strata)
    sample = next(samples, None)
    for block in signatures.blocks():
        if sample is None or sample.first != block.first:
            continue
        images = block.first + np.arange(int(block.owners[-1]) + 1)
        images = images[in_sample(images, total)]
        area = sample.labelled.sizes.shape[1]
        searched = ~halves.is_held_out[images]
        place = searched.cumsum() - 1
        lit, of_lit = sample.lit, searched[sample.lit.cells // area]
        of_cells = searched[block.cells // area]
        rows = table.rows_of(block)[block.cell_signatures[of_cells]]
        if searched.any():
            yield (
                block.first,
                images[searched],
                LitCells(lit.units[of_lit], _renumbered(lit.cells[of_lit], place, area), lit.points[of_lit]),
                _renumbered(block.cells[of_cells], place, area),
                rows,
                block.cell_pixels[of_cells],
                sample.labelled.sizes[searched],
            )
        sample = next(samples, None)


def _renumbered(
    cells: Int64[np.ndarray, " entries"], place: Int64[np.ndarray, " images"], area: int
) -> Int64[np.ndarray, " entries"]:
    image, cell = np.divmod(cells, area)
    return np.asarray(place[image] * area + cell)


def _table_of(parts: list[_Part], table: SignatureTable, units: int) -> CellTables:
    """Units and signatures, in place of concepts, on the cells of all parts."""
    area = parts[0][-1].shape[1]
    before = np.cumsum([0, *(len(part[1]) for part in parts)]).tolist()
    sizes = np.concatenate([part[-1] for part in parts])
    lit_cells = np.concatenate([part[2].cells + start * area for part, start in zip(parts, before, strict=False)])
    cells = np.concatenate([part[3] + start * area for part, start in zip(parts, before, strict=False)])
    joined = partial(np.concatenate)
    lit = csr_array(
        (
            joined([part[2].points for part in parts]).astype(np.int64),
            (joined([part[2].units for part in parts]), lit_cells),
        ),
        (units, sizes.size),
    )
    labelled = csr_array(
        (joined([part[5] for part in parts]).astype(np.int64), (cells, joined([part[4] for part in parts]))),
        (sizes.size, len(table.numbers)),
    )
    return CellTables(table.columns, lit, labelled, sizes)


@kernel
def _share(
    chosen: Int64[np.ndarray, " chosen"],
    units: UInt32[np.ndarray, " units_and_end"],
    cells: UInt32[np.ndarray, " lit"],
    points: UInt32[np.ndarray, " lit"],
    rows: UInt32[np.ndarray, " cells_and_end"],
    columns: UInt32[np.ndarray, " labelled"],
    pixels: UInt32[np.ndarray, " labelled"],
    lit: Int64[np.ndarray, "chosen signatures"],
) -> None:
    """Sum up what some units light of each signature, in sixteenths of a pixel."""
    for number in range(len(chosen)):
        unit = chosen[number]
        for entry in range(units[unit], units[unit + 1]):
            for place in range(rows[cells[entry]], rows[cells[entry] + 1]):
                lit[number, columns[place]] += np.int64(points[entry]) * np.int64(pixels[place])
