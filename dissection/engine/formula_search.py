"""The formulas of several concepts that describe a unit best: pairs are all tried, longer ones by beam.

Compositional explanations (Mu and Andreas 2020), with areas that are sums over signatures in place of bitmaps. A
formula f is defined on images that are labelled in the categories of all its concepts, D, and there::

    I = |M and f|     A = |M and D|     G = |f|     IoU = I / (A + G - I)

Joined to a concept c of category g, with D and g's images in common, it covers::

    f and c: |f c|     f and not c: |f g| - |f c|     f or c: |f g| + |D c| - |f c|

So what all formulas cover that begin with some, and what a unit lights of them, are products of matrices with a row
for each signature, weighted by its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dissection.vocabulary import OPERATORS, FormulaAreas, Operator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Bool, Float64, Int64

BEAM = 8
"""Formulas of one length that longer ones begin with."""

Terms: TypeAlias = tuple[tuple[Operator, int], ...]
"""A formula by places of concepts, each with what joins it to those before it; the first one's ``or`` says nothing."""


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
        areas: pixels of each signature: whole numbers below 2^53, so that sums do not depend on their order.
        pairs: pixels that each concept, and the images labelled in its category, share with each concept and with each
            category.
        both: ``carried`` and ``labelled`` side by side, as numbers.
    """

    carried: Bool[np.ndarray, "signatures concepts"]
    labelled: Bool[np.ndarray, "signatures categories"]
    categories: Int64[np.ndarray, " concepts"]
    areas: Float64[np.ndarray, " signatures"]
    pairs: Float64[np.ndarray, "2 concepts both"]
    both: Float64[np.ndarray, "signatures both"]
    _covered: dict[Terms, Float64[np.ndarray, "2 both"]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        carried: Bool[np.ndarray, "signatures concepts"],
        labelled: Bool[np.ndarray, "signatures categories"],
        categories: Int64[np.ndarray, " concepts"],
        areas: Float64[np.ndarray, " signatures"],
    ) -> FormulaSearch:
        """A search in these signatures."""
        both = np.concatenate([carried, labelled], 1).astype(np.float64)
        shared = (both * areas[:, None]).T @ both
        concepts = carried.shape[1]
        pairs = np.stack([shared[:concepts], shared[concepts + categories]])
        return cls(carried, labelled, categories, areas, pairs, both)

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
        self, lit: Float64[np.ndarray, " signatures"], candidates: Int64[np.ndarray, " candidates"], longest: int
    ) -> list[Scored]:
        """The formula of greatest IoU of each length, shortest first; a longer one only where its IoU is greater.

        Ties go to the operator that comes first, then to what the formula begins with, then to the concept.

        Args:
            lit: pixels of each signature that the unit lights.
            candidates: places of the concepts that formulas are made of, ascending.
            longest: concepts of the longest formula.
        """
        unit = _Unit.of_search(self, lit, candidates)
        best = unit.singles()[:1]
        beam: list[Scored] = []
        for length in range(2, longest + 1 if best else 0):
            beam = unit.pairs() if length == 2 else unit.extended([one.terms for one in beam])
            best += [one for one in beam[:1] if one.areas.iou > best[-1].areas.iou]
        return best

    def covered(self, terms: Terms) -> Float64[np.ndarray, "2 both"]:
        """Pixels that a formula, and its domain, share with each concept and with each category."""
        if terms not in self._covered:
            self._covered[terms] = (np.stack([self.holds(terms), self.domain(terms)]) * self.areas) @ self.both
        return self._covered[terms]


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """The search for one unit.

    Attributes:
        search: what it is part of.
        candidates: places of the concepts.
        of: the candidates, and then their categories, among all concepts and categories.
        lit_rows: signatures of which the unit lights any pixel.
        lit: how many.
        both: whether those carry each candidate, and then whether their images are labelled in its category.
    """

    search: FormulaSearch
    candidates: Int64[np.ndarray, " candidates"]
    of: Int64[np.ndarray, " both"]
    lit_rows: Int64[np.ndarray, " lit"]
    lit: Float64[np.ndarray, " lit"]
    both: Float64[np.ndarray, "lit both"]

    @classmethod
    def of_search(
        cls,
        search: FormulaSearch,
        lit: Float64[np.ndarray, " signatures"],
        candidates: Int64[np.ndarray, " candidates"],
    ) -> _Unit:
        lit_rows, categories = np.flatnonzero(lit), search.categories[candidates]
        of = np.concatenate([candidates, search.carried.shape[1] + categories])
        return cls(search, candidates, of, lit_rows, lit[lit_rows], search.both[np.ix_(lit_rows, of)])

    def singles(self) -> list[Scored]:
        """The best of all concepts."""
        lit, count = self.lit @ self.both, len(self.candidates)
        covered = self.search.pairs[0, self.candidates, self.candidates]
        return _best(lit[:count], lit[count:], covered, lambda place: (("or", int(self.candidates[place])),))

    def pairs(self) -> list[Scored]:
        """The best of all pairs: of two orders that say the same, only the first is looked at."""
        count = len(self.candidates)
        heads: list[Terms] = [(("or", place),) for place in self.candidates.tolist()]
        covered = self.search.pairs[:, self.candidates[:, None], self.of]
        is_new = np.broadcast_to(~np.eye(count, dtype=bool), (len(OPERATORS), count, count)).copy()
        is_new[:2] &= np.triu(np.ones((count, count), bool))
        return self._joined(heads, self.both[:, :count].T, self.both[:, count:].T, covered, is_new)

    def extended(self, heads: Sequence[Terms]) -> list[Scored]:
        """The best formulas that begin with some, and have one concept more, which is not yet among theirs."""
        if not heads:
            return []
        holds, domains = (
            np.stack([of(head)[self.lit_rows] for head in heads]).astype(np.float64)
            for of in (self.search.holds, self.search.domain)
        )
        covered = np.stack([self.search.covered(head)[:, self.of] for head in heads], 1)
        concepts = np.array([[place for _, place in head] for head in heads])
        is_new = (concepts[:, :, None] != self.candidates).all(1)
        return self._joined(heads, holds, domains, covered, np.stack([is_new] * len(OPERATORS)))

    def _joined(
        self,
        heads: Sequence[Terms],
        holds: Float64[np.ndarray, "heads lit"],
        domains: Float64[np.ndarray, "heads lit"],
        covered: Float64[np.ndarray, "2 heads both"],
        is_new: Bool[np.ndarray, "operators heads candidates"],
    ) -> list[Scored]:
        shared = np.stack([(holds * self.lit) @ self.both, (domains * self.lit) @ self.both])
        count = len(self.candidates)
        intersections, formula_areas = _of_operators(shared, count), _of_operators(covered, count)
        unit_areas = np.broadcast_to(shared[1, :, count:], intersections.shape)

        def terms(place: int) -> Terms:
            number, candidate = divmod(place, count)
            operator, head = divmod(number, len(heads))
            return (*heads[head], (OPERATORS[operator], int(self.candidates[candidate])))

        meeting = np.where(is_new, intersections, 0).ravel()
        return _best(meeting, unit_areas.ravel(), formula_areas.ravel(), terms)


def _of_operators(
    shared: Float64[np.ndarray, "2 heads both"], count: int
) -> Float64[np.ndarray, "operators heads candidates"]:
    """What formulas cover that join each candidate to each head, in the order of `OPERATORS`."""
    (with_concept, with_category), of_domain = (shared[0, :, :count], shared[0, :, count:]), shared[1, :, :count]
    return np.stack([with_category + of_domain - with_concept, with_concept, with_category - with_concept])


def _best(
    intersections: Float64[np.ndarray, " formulas"],
    unit_areas: Float64[np.ndarray, " formulas"],
    formula_areas: Float64[np.ndarray, " formulas"],
    terms: Callable[[int], Terms],
) -> list[Scored]:
    """The formulas of greatest IoU that share any pixel with the unit, best first, as many as a beam has."""
    unions = unit_areas + formula_areas - intersections
    ious = np.divide(intersections, unions, out=np.zeros(len(unions)), where=(intersections > 0) & (unions > 0))
    least = np.partition(ious, -BEAM)[-BEAM] if len(ious) > BEAM else 0.0
    places = np.flatnonzero((ious >= least) & (ious > 0))
    ranked = places[np.argsort(-ious[places], kind="stable")][:BEAM].tolist()
    return [
        Scored(
            terms(place),
            FormulaAreas(int(intersections[place]), int(unit_areas[place]), int(formula_areas[place])),
        )
        for place in ranked
    ]
