"""Turns a run's rows into its dissection, equal to the one that was written."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from dissection.vocabulary import (
    Composition,
    Concept,
    ConceptSupport,
    Dissection,
    Evidence,
    Exemplar,
    Formula,
    FormulaAreas,
    Overlap,
    Quarter,
    Truth,
    Unit,
    operator_of,
)

from .schema import (
    AREAS,
    HALVES,
    NUMBERS,
    WHOLE_NUMBERS,
    compositions,
    concepts,
    controls,
    evidence,
    exemplar_concepts,
    exemplars,
    formula_maps,
    formula_quarters,
    formula_terms,
    overlaps,
    quarters,
    runners_up,
    truths,
    units,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Row, Table

    from .records import Run

    Rows = Mapping[Table, Sequence[Row[Any]]]


def dissection_of(run: Run, rows: Rows) -> Dissection:
    """The whole dissection of a run, from its rows of all tables, in the order of each table's key."""
    supports = tuple(supports_of(rows[concepts]))
    return Dissection(
        layer=run.layer,
        quantile=run.key.quantile,
        min_images=run.key.min_images,
        images=run.images,
        pixels=run.pixels,
        concepts=supports,
        units=tuple(units_of(rows, known_concepts(supports))),
        draws=run.draws,
    )


def grouped(rows: Iterable[Any], column: str) -> Iterator[tuple[int, Iterator[Any]]]:
    """Rows by the value of a column, by which they are ordered."""
    return groupby(rows, key=attrgetter(column))


def supports_of(rows: Iterable[Row[Any]]) -> Iterator[ConceptSupport]:
    """The concepts of the rows of ``concepts``, with their support."""
    for row in rows:
        yield ConceptSupport(Concept(row.number, row.name, row.category), row.images, row.pixels)


def known_concepts(supports: Iterable[ConceptSupport]) -> dict[int, Concept]:
    """Concepts by their number."""
    return {support.concept.number: support.concept for support in supports}


def units_of(rows: Rows, known: Mapping[int, Concept]) -> Iterator[Unit]:
    """The units that the rows of all tables are about; ``known`` has every concept that these name."""

    def by_unit(table: Table) -> Iterator[tuple[int, Iterator[Any]]]:
        return grouped(rows.get(table, ()), "unit")

    truth_of = {
        (row.unit, row.rank): Truth(row.lit_images, row.hit_images, row.dark_images, row.missed_images)
        for row in rows.get(truths, ())
    }
    overlaps_of = {
        unit: tuple(_overlap(row, known, truth_of.get((unit, row.rank))) for row in members)
        for unit, members in by_unit(overlaps)
    }
    shown: dict[tuple[int, int], list[Concept]] = defaultdict(list)
    for row in rows.get(exemplar_concepts, ()):
        for rank, number in shown_by(row):
            shown[row.unit, rank].append(known[number])
    exemplars_of = {
        unit: tuple(_exemplar(row, shown.get((unit, row.rank), ())) for row in members)
        for unit, members in by_unit(exemplars)
    }
    rivals_of = {unit: tuple(known[row.concept] for row in members) for unit, members in by_unit(runners_up)}
    control_of = {row.unit: row.iou for row in rows.get(controls, ())}
    quarters_of = {unit: tuple(map(_quarter, members)) for unit, members in by_unit(quarters)}
    evidence_of = {
        row.unit: _evidence(row, rivals_of.get(row.unit, ()), quarters_of.get(row.unit, ()), control_of.get(row.unit))
        for row in rows.get(evidence, ())
    }
    terms_of: dict[tuple[int, int], list[tuple[str, Concept]]] = defaultdict(list)
    for row in rows.get(formula_terms, ()):
        terms_of[row.unit, row.length].append((row.operator, known[row.concept]))
    quarters_of_formula: dict[tuple[int, int], list[Quarter]] = defaultdict(list)
    for row in rows.get(formula_quarters, ()):
        quarters_of_formula[row.unit, row.length].append(_quarter(row))
    map_of_formula = {(row.unit, row.length): row.lit_map for row in rows.get(formula_maps, ())}
    compositions_of = {
        unit: tuple(
            _composition(
                row,
                terms_of[unit, row.length],
                quarters_of_formula.get((unit, row.length), ()),
                map_of_formula.get((unit, row.length), b""),
            )
            for row in members
        )
        for unit, members in by_unit(compositions)
    }
    for row in rows[units]:
        number = row.number
        yield Unit(
            number,
            row.threshold,
            overlaps_of.get(number, ()),
            exemplars_of.get(number, ()),
            evidence_of.get(number),
            compositions_of.get(number, ()),
        )


def _composition(
    row: Row[Any], terms: Sequence[tuple[str, Concept]], by_strength: Sequence[Quarter], lit_map: bytes
) -> Composition:
    (_, first), *steps = terms
    searched, held_out = (FormulaAreas(*(getattr(row, f"{half}_{area}") for area in AREAS)) for half in HALVES)
    truth = Truth(row.lit_images, row.hit_images, row.dark_images, row.missed_images)
    formula = Formula(first, tuple((operator_of(operator), concept) for operator, concept in steps))
    return Composition(
        formula,
        searched,
        held_out,
        (row.gain_low, row.gain_high),
        row.p,
        row.q,
        truth,
        quarters=tuple(by_strength),
        lit_map=_lit_map(lit_map),
    )


def _overlap(row: Row[Any], known: Mapping[int, Concept], truth: Truth | None) -> Overlap:
    return Overlap(known[row.concept], row.intersection, row.unit_area, row.concept_area, row.images, truth)


def _exemplar(row: Row[Any], shown: Sequence[Concept]) -> Exemplar:
    return Exemplar(row.image, row.number, row.activation, row.row, row.column, tuple(shown))


def shown_by(row: Row[Any]) -> list[tuple[int, int]]:
    """The concepts that a unit's exemplars show: the rank of an exemplar, and the number of a concept."""
    return [(rank, number) for rank, number in np.frombuffer(row.concepts, WHOLE_NUMBERS).reshape(-1, 2).tolist()]


def _quarter(row: Row[Any]) -> Quarter:
    return Quarter(row.least, row.images, row.hits)


def _evidence(
    row: Row[Any], rivals: tuple[Concept, ...], by_strength: tuple[Quarter, ...], control: float | None
) -> Evidence:
    return Evidence(
        p=row.p,
        q=row.q,
        kept=row.kept,
        iou=(row.iou_low, row.iou_high),
        margin=(row.margin_low, row.margin_high),
        runners_up=rivals,
        quarters=by_strength,
        lit_map=_lit_map(row.lit_map),
        control=control,
    )


def _lit_map(cells: bytes) -> tuple[float, ...]:
    return tuple(np.frombuffer(cells, NUMBERS).tolist())
