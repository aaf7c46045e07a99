"""Turns values into rows: tuples in the order of their table's columns, without the number of the run."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import schema
from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from jaxtyping import Float64
    from sqlalchemy import Table

    from dissection.vocabulary import Dissection, Unit

    from .records import ClassImportance, Run, WholeRun

Row = tuple[Any, ...]


def spoken_key(text: str) -> str:
    """A concept's name for comparison: without case, underscores or extra spaces."""
    return " ".join(text.replace("_", " ").split()).casefold()


def whole_rows(whole: WholeRun, created: datetime) -> dict[Table, list[Row]]:
    """All rows of a run but that of its provenance, in the order of each table's key."""
    return {
        schema.runs: [run_row(whole.run, created)],
        **_dissection_rows(whole.dissection),
        schema.bodies: [(whole.run.body,)] if whole.run.body else [],
        schema.formula_lengths: [(whole.run.key.length,)] if whole.run.key.length > 1 else [],
        **_class_rows(whole.run.classes, whole.importances),
        schema.pictures: sorted(whole.pictures.items()),
    }


def run_row(run: Run, created: datetime) -> Row:
    """The run's own row.

    Raises:
        StoreError: if its source does not hold plain JSON values.
    """
    values = {
        **{f"key_{name}": value for name, value in asdict(run.key).items()},
        **{f"layer_{name}": value for name, value in asdict(run.layer).items()},
        "digest": run.key.digest,
        "created": created.isoformat(),
        "network": run.network,
        "source": _plain_json(run.source),
        "concepts": run.concepts,
        "images": run.images,
        "pixels": run.pixels,
        "constant_alphas": int(run.constant_alphas),
        "evidence": run.evidence,
    }
    return tuple(values[name] for name in schema.runs.columns.keys()[1:])


def _plain_json(source: Mapping[str, object]) -> str:
    try:
        text = json.dumps(dict(source), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"a run's source must be plain JSON values: {error}") from error
    if json.loads(text) != dict(source):
        raise StoreError("a run's source must be plain JSON values: lists for tuples, text for keys")
    return text


def _dissection_rows(dissection: Dissection) -> dict[Table, list[Row]]:
    units = dissection.units
    by_table = {
        schema.overlaps: _overlap_rows,
        schema.truths: _truth_rows,
        schema.exemplars: _exemplar_rows,
        schema.exemplar_concepts: _exemplar_concept_rows,
        schema.evidence: _evidence_rows,
        schema.runners_up: _runner_up_rows,
        schema.quarters: _quarter_rows,
        schema.controls: _control_rows,
        schema.compositions: _composition_rows,
        schema.formula_terms: _term_rows,
        schema.formula_quarters: _formula_quarter_rows,
        schema.formula_maps: _formula_map_rows,
    }
    return {
        schema.concepts: list(_concept_rows(dissection)),
        schema.units: [(unit.number, unit.threshold) for unit in units],
        **{table: [row for unit in units for row in rows(unit)] for table, rows in by_table.items()},
    }


def _concept_rows(dissection: Dissection) -> Iterator[Row]:
    for support in dissection.concepts:
        concept = support.concept
        spoken = spoken_key(concept.spoken)
        yield concept.number, concept.name, concept.category, spoken, support.images, support.pixels


def _overlap_rows(unit: Unit) -> Iterator[Row]:
    for rank, overlap in enumerate(unit.overlaps):
        areas = (overlap.intersection, overlap.unit_area, overlap.concept_area)
        yield unit.number, rank, overlap.concept.number, *areas, overlap.images, overlap.iou


def _truth_rows(unit: Unit) -> Iterator[Row]:
    for rank, overlap in enumerate(unit.overlaps):
        if overlap.truth is not None:
            truth = overlap.truth
            lit, dark = (truth.lit_images, truth.hit_images), (truth.dark_images, truth.missed_images)
            yield unit.number, rank, *lit, *dark


def _exemplar_rows(unit: Unit) -> Iterator[Row]:
    for rank, exemplar in enumerate(unit.exemplars):
        cell = (exemplar.activation, exemplar.row, exemplar.column)
        yield unit.number, rank, exemplar.image, exemplar.index, *cell


def _exemplar_concept_rows(unit: Unit) -> Iterator[Row]:
    shown = [(rank, concept.number) for rank, exemplar in enumerate(unit.exemplars) for concept in exemplar.concepts]
    if shown:
        yield unit.number, np.array(shown, schema.WHOLE_NUMBERS).tobytes()


def _evidence_rows(unit: Unit) -> Iterator[Row]:
    evidence = unit.evidence
    if evidence is not None:
        lit_map = _array(np.array(evidence.lit_map))
        yield unit.number, evidence.p, evidence.q, evidence.kept, *evidence.iou, *evidence.margin, lit_map


def _runner_up_rows(unit: Unit) -> Iterator[Row]:
    runners_up = unit.evidence.runners_up if unit.evidence else ()
    for rank, concept in enumerate(runners_up):
        yield unit.number, rank, concept.number


def _quarter_rows(unit: Unit) -> Iterator[Row]:
    quarters = unit.evidence.quarters if unit.evidence else ()
    for number, quarter in enumerate(quarters):
        yield unit.number, number, quarter.least, quarter.images, quarter.hits


def _control_rows(unit: Unit) -> Iterator[Row]:
    if unit.evidence is not None and unit.evidence.control is not None:
        yield unit.number, unit.evidence.control


def _composition_rows(unit: Unit) -> Iterator[Row]:
    for one in unit.compositions:
        areas = (getattr(getattr(one, half), area) for half in schema.HALVES for area in schema.AREAS)
        yield unit.number, one.formula.length, *areas, *one.gain, one.p, one.q, *astuple(one.truth)


def _term_rows(unit: Unit) -> Iterator[Row]:
    for one in unit.compositions:
        terms = [("", one.formula.first), *one.formula.steps]
        for place, (operator, concept) in enumerate(terms):
            yield unit.number, one.formula.length, place, operator, concept.number


def _formula_quarter_rows(unit: Unit) -> Iterator[Row]:
    for one in unit.compositions:
        for number, quarter in enumerate(one.quarters):
            yield unit.number, one.formula.length, number, quarter.least, quarter.images, quarter.hits


def _formula_map_rows(unit: Unit) -> Iterator[Row]:
    for one in unit.compositions:
        if one.lit_map:
            yield unit.number, one.formula.length, _array(np.array(one.lit_map))


def _class_rows(labels: Sequence[str], importances: Iterable[ClassImportance]) -> dict[Table, list[Row]]:
    ordered = sorted(importances, key=attrgetter("index"))
    images = {importance.index: importance.images for importance in ordered}
    return {
        schema.classes: [(number, label, images.get(number)) for number, label in enumerate(labels)],
        schema.importances: [(importance.index, *map(_array, importance.means)) for importance in ordered],
        schema.class_statistics: [
            (importance.index, *map(_array, importance.statistics)) for importance in ordered if importance.statistics
        ],
    }


def _array(numbers: Float64[np.ndarray, " numbers"]) -> bytes:
    return numbers.astype(schema.NUMBERS).tobytes()
