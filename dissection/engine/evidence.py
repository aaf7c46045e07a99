"""Evidence for the names of a layer's units: truth, chance, stability, and the maps of what they respond to.

It is gathered when masks and labels have been compared and pooled; every rank takes part. Everything here is counts,
order statistics and seeded draws, so it is the same for any number of ranks and wherever a build was killed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dissection.vocabulary import Evidence

from .cell_tables import CellTables, LabelledCells, LitCells
from .chance import chance
from .peaks import PeaksOfNames
from .stability import stability
from .truth import quarters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Quarter, Unit

    from .chance import Chance
    from .evidence_blocks import EvidenceFile
    from .lit_maps import LitMaps
    from .overlaps import Columns
    from .stability import Stability
    from .truth import TruthCounts

Entries = TypeVar("Entries", LitCells, LabelledCells)


@dataclass(frozen=True, slots=True)
class Draws:
    """What evidence is drawn with.

    Attributes:
        count: permutations for the null; 0 where no evidence is gathered.
        seed: of everything that is drawn.
        longest: concepts of the longest formula that is searched for; 1 searches for none.
    """

    count: int
    seed: int = 0
    longest: int = 1


NO_DRAWS = Draws(0)


@dataclass(frozen=True, slots=True, eq=False)
class Gathering:
    """What evidence is gathered from.

    Attributes:
        columns: the order of the concepts.
        eligible: which concepts can become a name.
        truth: counts of lit images, pooled over ranks.
        file: what this rank compared, image by image.
        lit_maps: the maps of pairs of a unit and an image that this rank has seen.
        draws: of the evidence.
        ranks: the processes that share the images.
    """

    columns: Columns
    eligible: Bool[np.ndarray, " concepts"]
    truth: TruthCounts
    file: EvidenceFile
    lit_maps: LitMaps
    draws: Draws
    ranks: Ranks

    def units(self, units: Sequence[Unit]) -> list[Unit]:
        """The units with evidence for their overlaps; every rank must call it, and gets the same."""
        places = {number: column for column, number in enumerate(self.columns.numbers.tolist())}
        overlaps = [[places[overlap.concept.number] for overlap in unit.overlaps] for unit in units]
        firsts = [columns[0] if columns else -1 for columns in overlaps]
        lit = np.array(
            [self.truth.lit_images(unit, column) if column >= 0 else 0 for unit, column in enumerate(firsts)]
        )
        tables = _tables(self.file, len(units), self.columns, self.ranks)
        by_chance = chance(tables, self.eligible, draws=self.draws.count, seed=self.draws.seed, ranks=self.ranks)
        stable = stability(tables, overlaps, seed=self.draws.seed)
        source = PeaksOfNames(self.file, np.array(firsts), self.columns)
        by_strength = quarters(source, lit, self.ranks)
        maps = self.lit_maps.shown(source, np.arange(len(units)), self.ranks)
        return [
            self._unit(unit, columns, by_chance, stable[number], by_strength[number], maps.get(number, ()))
            for number, (unit, columns) in enumerate(zip(units, overlaps, strict=True))
        ]

    def _unit(
        self,
        unit: Unit,
        overlaps: Sequence[int],
        by_chance: Chance,
        stable: Stability | None,
        by_strength: tuple[Quarter, ...],
        lit_map: tuple[float, ...],
    ) -> Unit:
        counted = tuple(
            overlap.with_truth(self.truth.of(unit.number, column))
            for overlap, column in zip(unit.overlaps, overlaps, strict=True)
        )
        if stable is None:
            return unit
        evidence = Evidence(
            p=float(by_chance.p[unit.number]),
            q=float(by_chance.q[unit.number]),
            kept=stable.kept,
            iou=stable.iou,
            margin=stable.margin,
            runners_up=tuple(self.columns.concepts[column] for column in stable.runners_up),
            quarters=by_strength,
            lit_map=lit_map,
        )
        return replace(unit, overlaps=counted, evidence=evidence)


def _tables(file: EvidenceFile, units: int, columns: Columns, ranks: Ranks) -> CellTables:
    """The tables of the sample, of all ranks, in the order of the images."""
    samples = sorted(chain.from_iterable(ranks.gather(list(file.samples()))), key=attrgetter("first"))
    lit, labelled, images = [], [], 0
    for sample in samples:
        area = sample.labelled.sizes.shape[1]
        lit.append(replace(sample.lit, cells=sample.lit.cells + images * area))
        labelled.append(replace(sample.labelled, cells=sample.labelled.cells + images * area))
        images += len(sample.labelled.sizes)
    return CellTables.of(units, columns, _joined(LitCells, lit), _joined(LabelledCells, labelled))


def _joined(kind: type[Entries], parts: Sequence[Entries]) -> Entries:
    """The entries of several images as one."""
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in kind.__slots__))
