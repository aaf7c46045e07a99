"""Compositional names: formulas of several concepts that hold on images which they were not searched on.

What compositional names gain is mostly fitted to the images that they are searched on. So a formula is searched for on
half of the images, and accepted only where on the other half it beats everything shorter, and where its IoU is greater
than the same search finds by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import Composition, Formula

from .chance import q_values
from .formula_chance import SEARCHES, formula_chances
from .formula_checks import Candidate, check
from .formula_peaks import write_peaks
from .formula_search import FormulaSearch
from .halves import Halves
from .signatures import signature_table
from .truth import quarters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Int64

    from dissection.execution.ranks import Ranks
    from dissection.vocabulary import Concept, Quarter, Unit

    from .evidence import Draws
    from .evidence_blocks import EvidenceFile
    from .formula_checks import Check
    from .formula_search import Scored, Terms
    from .lit_maps import LitMaps
    from .overlaps import Columns
    from .peaks import PeakFile
    from .signature_blocks import SignatureFile
    from .signatures import SignatureTable


@dataclass(frozen=True, slots=True, eq=False)
class Composing:
    """What formulas are made from.

    Attributes:
        columns: the order of the concepts.
        eligible: which concepts can be part of a name.
        min_images: images that a formula must hold in.
        signatures: what this rank compared, image by image.
        evidence: which units are lit there.
        peaks: where responses to formulas are written.
        lit_maps: the maps of units on these images.
        draws: of the search.
        ranks: the processes that share the images.
    """

    columns: Columns
    eligible: Bool[np.ndarray, " concepts"]
    min_images: int
    signatures: SignatureFile
    evidence: EvidenceFile
    peaks: PeakFile
    lit_maps: LitMaps
    draws: Draws
    ranks: Ranks

    def units(self, units: Sequence[Unit]) -> list[Unit]:
        """The units with the formulas found for them; every rank must call it, and gets the same."""
        halves = Halves.of(self.signatures, self.columns, self.draws.seed, self.ranks)
        if not self.eligible.any():
            return list(units)
        table, chosen = signature_table(self.signatures, len(units), self.columns, self.eligible, halves, self.ranks)
        places = [np.searchsorted(table.kept, columns) for columns in chosen]
        categories = self.columns.categories[table.kept]
        search = FormulaSearch.of(table.carried, table.labelled, categories, table.areas[0])
        best = [
            search.best(lit, of_unit, self.draws.longest) for lit, of_unit in zip(table.lit[0], places, strict=True)
        ]
        found = [one for unit, scored in zip(units, best, strict=True) for one in self._found(unit, scored, table)]
        checks = check(found, search, table, self.signatures, self.evidence, halves, self.ranks)
        kept = [(one, told) for one, told in zip(found, checks, strict=True) if _images(told) >= self.min_images]
        chances = self._chances(kept, places, table, halves)
        responses = self._responses([pair for pair in kept if pair[1].gain[0] > 0], search, table)
        compositions: dict[int, list[Composition]] = {}
        for (one, told), (p, q) in zip(kept, chances, strict=True):
            searched, held_out = (
                search.areas_of(one.terms, table.lit[half, one.unit], table.areas[half]) for half in range(2)
            )
            formula, (by_strength, lit_map) = self._formula(one.terms, table), responses.get(one, ((), ()))
            made = Composition(formula, searched, held_out, told.gain, p, q, told.truth, by_strength, lit_map)
            compositions.setdefault(one.unit, []).append(made)
        return [replace(unit, compositions=tuple(compositions.get(unit.number, ()))) for unit in units]

    def _found(self, unit: Unit, scored: Sequence[Scored], table: SignatureTable) -> list[Candidate]:
        """The unit's formulas of several concepts, each with all that is shorter and the unit's own best concept."""
        name = {concept.number: place for place, concept in enumerate(self._concepts(table))}
        best: list[Terms] = []
        if unit.best and unit.best.concept.number in name:
            best.append((("or", name[unit.best.concept.number]),))
        terms = [one.terms for one in scored]
        return [
            Candidate(unit.number, one, tuple(dict.fromkeys([*terms[:place], *best])))
            for place, one in enumerate(terms)
            if len(one) > 1
        ]

    def _chances(
        self,
        kept: Sequence[tuple[Candidate, Check]],
        places: Sequence[Int64[np.ndarray, " candidates"]],
        table: SignatureTable,
        halves: Halves,
    ) -> list[tuple[float, float]]:
        """``p`` and ``q`` of each formula; only of those that gain anything is it asked."""
        tested = np.array([told.gain[0] > 0 for _, told in kept], bool)
        units = dict.fromkeys(one.unit for (one, _), is_tested in zip(kept, tested, strict=True) if is_tested)
        by_unit = formula_chances(
            {unit: places[unit] for unit in units},
            self.draws.longest,
            table,
            self.signatures,
            self.evidence,
            halves,
            self.ranks,
            draws=min(self.draws.count, SEARCHES),
        )
        p = np.array(
            [
                by_unit[one.unit][len(one.terms) - 2] if is_tested and one.unit in by_unit else 1.0
                for (one, _), is_tested in zip(kept, tested, strict=True)
            ]
        )
        return list(zip(p.tolist(), q_values(p, tested).tolist(), strict=True))

    def _responses(
        self, kept: Sequence[tuple[Candidate, Check]], search: FormulaSearch, table: SignatureTable
    ) -> dict[Candidate, tuple[tuple[Quarter, ...], tuple[float, ...]]]:
        """The quarters by strength and the lit map of each formula."""
        if not kept:
            return {}
        formulas = [one for one, _ in kept]
        write_peaks(formulas, search, table, self.signatures, self.evidence, self.peaks)
        lit = np.array([told.truth.lit_images for _, told in kept])
        by_strength = quarters(self.peaks, lit, self.ranks)
        maps = self.lit_maps.shown(self.peaks, np.array([one.unit for one in formulas]), self.ranks)
        return {one: (by_strength[place], maps.get(place, ())) for place, one in enumerate(formulas)}

    def _concepts(self, table: SignatureTable) -> list[Concept]:
        return [self.columns.concepts[column] for column in table.kept.tolist()]

    def _formula(self, terms: Terms, table: SignatureTable) -> Formula:
        concepts = self._concepts(table)
        (_, first), *steps = terms
        return Formula(concepts[first], tuple((operator, concepts[place]) for operator, place in steps))


def _images(told: Check) -> int:
    return told.truth.hit_images + told.truth.missed_images
