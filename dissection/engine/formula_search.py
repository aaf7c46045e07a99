"""The formulas of several concepts that describe a unit best: pairs are all tried, longer ones by beam.

Compositional explanations (Mu and Andreas 2020), with areas that are sums over signatures in place of bitmaps. A
formula f is defined on images that are labelled in the categories of all its concepts, D, and there::

    I = |M and f|     A = |M and D|     G = |f|     IoU = I / (A + G - I)

Joined to a concept c of category g, with D and g's images in common, it covers::

    f and c: |f c|     f and not c: |f g| - |f c|     f or c: |f g| + |D c| - |f c|

So all that is needed of what a formula begins with are the pixels that it and its domain share with each concept and
each category, and how many of these the unit lights (:mod:`dissection.engine.formula_sums`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dissection.vocabulary import OPERATORS, FormulaAreas, Operator

from .formula_sums import rank_joined, share_of_domains, share_of_heads, share_of_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Int64

BEAM = 8
"""Formulas of one length that longer ones begin with."""

Terms: TypeAlias = tuple[tuple[Operator, int], ...]
"""A formula by places of concepts, each with what joins it to those before it; the first one's ``or`` says nothing."""

_BUT_NOT = OPERATORS.index("and not")


@dataclass(frozen=True, slots=True)
class Scored:
    """A formula and its areas where it was searched for."""

    terms: Terms
    areas: FormulaAreas


@dataclass(frozen=True, slots=True, eq=False)
class FormulaSearch:
    """Searches formulas for units, one after another.

    Attributes:
        carried: whether the pixels of each signature carry each concept.
        labelled: whether their images are labelled in each category.
        categories: the category of each concept.
        areas: pixels of each signature.
        starts: where the concepts of each signature begin, and then the categories, and their number.
        columns: the concepts of each signature, by place, and then its categories.
        carriers: the signatures that carry each concept, one after the other.
        edges: where those of each concept begin, and their number.
        shared: pixels that concepts, and then categories, share with each other.
    """

    carried: Bool[np.ndarray, "signatures concepts"]
    labelled: Bool[np.ndarray, "signatures categories"]
    categories: Int64[np.ndarray, " concepts"]
    areas: Int64[np.ndarray, " signatures"]
    starts: Int64[np.ndarray, " signatures_and_end"]
    columns: Int64[np.ndarray, " columns"]
    carriers: Int64[np.ndarray, " carriers"]
    edges: Int64[np.ndarray, " concepts_and_end"]
    shared: Int64[np.ndarray, "both both"]
    _covered: dict[tuple[int, ...], Int64[np.ndarray, " both"]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        carried: Bool[np.ndarray, "signatures concepts"],
        labelled: Bool[np.ndarray, "signatures categories"],
        categories: Int64[np.ndarray, " concepts"],
        areas: Int64[np.ndarray, " signatures"],
    ) -> FormulaSearch:
        """A search in these signatures."""
        both = np.concatenate([carried, labelled], 1)
        starts, columns = np.concatenate([[0], both.sum(1).cumsum()]), np.nonzero(both)[1]
        shared = share_of_pairs(areas, starts, columns, np.arange(both.shape[1]), both.shape[1])
        carriers, edges = np.nonzero(carried.T)[1], np.concatenate([[0], carried.sum(0).cumsum()])
        return cls(carried, labelled, categories, areas, starts, columns, carriers, edges, shared)

    def domain(self, terms: Terms) -> Bool[np.ndarray, " signatures"]:
        """The signatures of images that are labelled in the categories of all concepts of a formula."""
        labelled: Bool[np.ndarray, " signatures"] = self.labelled[:, self.categories[terms[0][1]]]
        for _, place in terms[1:]:
            labelled = labelled & self.labelled[:, self.categories[place]]
        return labelled

    def holds(self, terms: Terms) -> Bool[np.ndarray, " signatures"]:
        """The signatures of its domain at which a formula holds."""
        holds: Bool[np.ndarray, " signatures"] = self.carried[:, terms[0][1]].copy()
        for operator, place in terms[1:]:
            other = self.carried[:, place]
            holds = (holds | other) if operator == "or" else (holds & (other if operator == "and" else ~other))
        holds &= self.domain(terms)
        return holds

    def areas_of(
        self, terms: Terms, lit: Int64[np.ndarray, " signatures"], areas: Int64[np.ndarray, " signatures"]
    ) -> FormulaAreas:
        """The areas of a formula and of a unit, on any images.

        Args:
            terms: the formula.
            lit: pixels of each signature that the unit lights.
            areas: pixels of each signature.
        """
        holds, domain = self.holds(terms), self.domain(terms)
        return FormulaAreas(int(lit[holds].sum()), int(lit[domain].sum()), int(areas[holds].sum()))

    def best(
        self, lit: Int64[np.ndarray, " signatures"], candidates: Int64[np.ndarray, " candidates"], longest: int
    ) -> list[Scored]:
        """The formula of greatest IoU of each length, shortest first; a longer one only where its IoU is greater.

        Ties go to the operator that comes first, then to what the formula begins with, then to the concept.

        Args:
            lit: pixels of each signature that the unit lights.
            candidates: places of the concepts that formulas are made of, ascending.
            longest: concepts of the longest formula.
        """
        unit = _Unit.of_search(self, lit, candidates)
        best = unit.single()
        beam = unit.pairs()
        for length in range(2, longest + 1):
            if not best or not len(beam.places):
                break
            if length > 2:
                beam = unit.extended(beam)
            best += [one for one in beam.first() if one.areas.iou > best[-1].areas.iou]
        return best

    def shared_in(
        self, domains: Sequence[tuple[int, ...]], lit: Int64[np.ndarray, " signatures"]
    ) -> Int64[np.ndarray, "2 domains both"]:
        """Pixels of concepts and categories in images labelled in all categories of a domain: those lit, and all."""
        for domain in domains:
            if domain not in self._covered:
                (self._covered[domain],) = self._pixels_in([domain], self.areas)
        return np.stack([self._pixels_in(domains, lit), np.stack([self._covered[domain] for domain in domains])])

    def _pixels_in(
        self, domains: Sequence[tuple[int, ...]], pixels: Int64[np.ndarray, " signatures"]
    ) -> Int64[np.ndarray, "domains both"]:
        needed = np.zeros((len(domains), self.labelled.shape[1]), bool)
        for row, categories in zip(needed, domains, strict=True):
            row[list(categories)] = True
        return share_of_domains(pixels, needed, self.labelled, self.starts, self.columns, len(self.shared))


@dataclass(frozen=True, slots=True, eq=False)
class _Beam:
    """The best formulas of one length, best first.

    Attributes:
        operators: the operator before each concept, by its place in `OPERATORS`.
        places: the concepts.
        areas: what the unit and each formula share, and the areas of both.
    """

    operators: Int64[np.ndarray, "formulas length"]
    places: Int64[np.ndarray, "formulas length"]
    areas: Int64[np.ndarray, "formulas 3"]

    def first(self) -> list[Scored]:
        """The best of them, if there is any."""
        rows = zip(self.operators[:1].tolist(), self.places[:1].tolist(), self.areas[:1].tolist(), strict=True)
        return [
            Scored(tuple(zip([OPERATORS[one] for one in operators], places, strict=True)), FormulaAreas(*areas))
            for operators, places, areas in rows
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """The search for one unit.

    Attributes:
        search: what it is part of.
        candidates: places of the concepts.
        place: the place of each concept and category among the candidates, behind which all categories stand; -1 for a
            concept that is no candidate.
        of_category: the place of each candidate's category.
        lit: pixels of each signature that the unit lights.
        shared: pixels that candidates, and then categories, share with each other and with the unit.
        covered: pixels that they share with each other.
    """

    search: FormulaSearch
    candidates: Int64[np.ndarray, " candidates"]
    place: Int64[np.ndarray, " both"]
    of_category: Int64[np.ndarray, " candidates"]
    lit: Int64[np.ndarray, " signatures"]
    shared: Int64[np.ndarray, "rows rows"]
    covered: Int64[np.ndarray, "rows rows"]

    @classmethod
    def of_search(
        cls, search: FormulaSearch, lit: Int64[np.ndarray, " signatures"], candidates: Int64[np.ndarray, " candidates"]
    ) -> _Unit:
        both = np.concatenate([candidates, np.arange(len(search.categories), len(search.shared))])
        place = np.full(len(search.shared), -1)
        place[both] = np.arange(len(both))
        shared = share_of_pairs(lit, search.starts, search.columns, place, len(both))
        of_category = len(candidates) + search.categories[candidates]
        return cls(search, candidates, place, of_category, lit, shared, search.shared[both[:, None], both])

    def single(self) -> list[Scored]:
        """The best of all concepts, if the unit shares any pixel with one."""
        meeting, covered = np.diagonal(self.shared), np.diagonal(self.covered)
        intersections, unit_areas = meeting[: len(self.candidates)], meeting[self.of_category]
        formula_areas = covered[: len(self.candidates)]
        ious = intersections / np.maximum(unit_areas + formula_areas - intersections, 1)
        place = int(ious.argmax()) if len(ious) else 0
        if not len(ious) or not ious[place]:
            return []
        areas = FormulaAreas(int(intersections[place]), int(unit_areas[place]), int(formula_areas[place]))
        return [Scored((("or", int(self.candidates[place])),), areas)]

    def pairs(self) -> _Beam:
        """The best of all pairs: of two orders that say the same, only the first is looked at."""
        heads = np.arange(len(self.candidates))
        first = np.tile(heads + 1, (len(OPERATORS), 1))
        first[_BUT_NOT] = 0
        singles = _Beam(
            np.zeros((len(heads), 1), np.int64), self.candidates[:, None], np.zeros((len(heads), 3), np.int64)
        )
        return self._joined(singles, self.shared, self.covered, heads, self.of_category, first)

    def extended(self, beam: _Beam) -> _Beam:
        """The best formulas that join one concept more to those of a beam, which is not yet among theirs."""
        search, heads = self.search, np.arange(len(beam.places))
        both = np.flatnonzero(self.place >= 0)
        of_heads = share_of_heads(
            beam.operators, beam.places, search.categories, np.stack([self.lit, search.areas]),
            search.carried, search.labelled, search.starts, search.columns, search.carriers, search.edges,
        )  # fmt: skip
        needed = [tuple(sorted(set(categories))) for categories in search.categories[beam.places].tolist()]
        place = {categories: len(heads) + number for number, categories in enumerate(dict.fromkeys(needed))}
        of_domains = search.shared_in(list(place), self.lit)
        shared, covered = np.concatenate([of_heads, of_domains], 1)[:, :, both]
        first = np.zeros((len(OPERATORS), len(heads)), np.int64)
        return self._joined(beam, shared, covered, heads, np.array([place[one] for one in needed]), first)

    def _joined(
        self,
        beam: _Beam,
        shared: Int64[np.ndarray, "rows columns"],
        covered: Int64[np.ndarray, "rows columns"],
        holds: Int64[np.ndarray, " heads"],
        domains: Int64[np.ndarray, " heads"],
        first: Int64[np.ndarray, "operators heads"],
    ) -> _Beam:
        """The best formulas that join a candidate to a head; see :func:`rank_joined`."""
        chosen, areas = rank_joined(
            shared, covered, holds, domains, self.of_category, self.place[beam.places], first, BEAM
        )
        heads = chosen[:, 1]
        return _Beam(
            np.concatenate([beam.operators[heads], chosen[:, :1]], 1),
            np.concatenate([beam.places[heads], self.candidates[chosen[:, 2:]]], 1),
            areas,
        )
