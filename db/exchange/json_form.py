"""Converts runs from and to the JSON that `json_fields` describes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta
from math import isfinite
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from db.checksums import run_checksum
from db.errors import StoreError
from db.records import OLDEST_SCHEMA, SCHEMA, SHARED, STATISTICS, ClassImportance, Run, RunKey, WholeRun
from db.rows import whole_rows
from dissection.vocabulary import (
    Composition,
    Concept,
    ConceptSupport,
    Dissection,
    Evidence,
    Exemplar,
    Formula,
    FormulaAreas,
    Layer,
    Overlap,
    Quarter,
    Truth,
    Unit,
)

from .json_fields import FORMAT, VERSION, AreasForm, ExemplarForm, LayerForm, QuarterForm, TruthForm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .json_fields import CompositionForm, EvidenceForm, Form, OverlapForm, RunForm, UnitForm


def run_of(form: RunForm, where: str, pictures: Mapping[int, bytes]) -> WholeRun:
    """The run that a file holds.

    Raises:
        StoreError: if it contradicts itself.
    """
    origin = f"{where}, run {form.digest[:12]}"
    key = RunKey(**_values(form.key))
    _require(
        OLDEST_SCHEMA <= key.schema <= SCHEMA,
        f"{origin} has schema {key.schema}, this NeuronExplain has {SCHEMA}: update it",
    )
    _require(key.digest == form.digest, f"{origin}: its key's sha256 is {key.digest[:12]}: the file was changed")
    _require(form.created.utcoffset() == timedelta(0), f"{origin}: its time is not in UTC")
    layer = Layer(**_values(form.layer))
    supports = tuple(
        ConceptSupport(Concept(concept.number, concept.name, concept.category), concept.images, concept.pixels)
        for concept in form.concepts
    )
    concepts = {support.concept.number: support.concept for support in supports}
    units = tuple(_unit(unit, concepts, origin) for unit in form.units)
    run = Run(
        id=0,
        key=key,
        created=form.created.replace(tzinfo=UTC),
        network=form.network,
        source=form.source,
        classes=form.classes,
        layer=layer,
        concepts=form.dataset,
        images=form.images,
        pixels=form.pixels,
        constant_alphas=form.constant_alphas,
        evidence=form.evidence,
        licence=form.licence,
        control=form.control,
        body=form.body,
    )
    dissection = Dissection(layer, key.quantile, key.min_images, form.images, form.pixels, supports, units, key.draws)
    return WholeRun(run, dissection, tuple(_importances(form, origin)), pictures, origin, form.checksum)


def header(licence: str | None) -> str:
    """The beginning of a file; its runs follow, separated by commas, and then ``]}``."""
    return f'{{"format": {_dumped(FORMAT)}, "version": {VERSION}, "licence": {_dumped(licence)}, "runs": ['


def run_lines(whole: WholeRun, pictures: Mapping[int, str]) -> Iterator[str]:
    """A run as JSON: one object, one row per line.

    Args:
        whole: the run.
        pictures: sha256 of each picture beside the file.
    """
    source = {name: _shared(value) for name, value in whole.run.source.items() if name != SHARED}
    beside = {index: jpeg for index, jpeg in whole.pictures.items() if index in pictures}
    fields = list(_fields(replace(whole, run=replace(whole.run, source=source), pictures=beside), pictures))
    yield "{"
    for number, (name, value) in enumerate(fields, 1):
        comma = "," if number < len(fields) else ""
        if isinstance(value, list):
            rows = [_dumped(row) for row in value]
            yield f"{_dumped(name)}: ["
            yield from (f"  {row}," for row in rows[:-1])
            yield from (f"  {row}" for row in rows[-1:])
            yield f"]{comma}"
        else:
            yield f"{_dumped(name)}: {_dumped(value)}{comma}"
    yield "}"


def _fields(whole: WholeRun, pictures: Mapping[int, str]) -> Iterator[tuple[str, object]]:
    run, key = whole.run, whole.run.key
    yield "digest", key.digest
    yield "created", run.created.isoformat()
    yield "network", run.network
    yield "source", run.source
    yield "dataset", run.concepts
    for name in ("images", "pixels", "constant_alphas", "evidence", "licence", "control", "body"):
        yield name, getattr(run, name)
    yield "key", {name: _plain(value) for name, value in key.parts.items()}
    yield "layer", {name: getattr(run.layer, name) for name in LayerForm.__struct_fields__}
    yield "classes", list(run.classes)
    yield "concepts", [_support_row(support) for support in whole.dissection.concepts]
    yield "units", [_unit_row(unit) for unit in whole.dissection.units]
    yield "importances", [_importance_row(importance) for importance in whole.importances]
    yield "pictures", [{"index": index, "sha256": sha256} for index, sha256 in pictures.items()]
    yield "checksum", run_checksum(whole_rows(whole, run.created), run)


def _support_row(support: ConceptSupport) -> dict[str, object]:
    concept = support.concept
    named: dict[str, object] = {"number": concept.number, "name": concept.name, "category": concept.category}
    return {**named, "images": support.images, "pixels": support.pixels}


def _unit_row(unit: Unit) -> dict[str, object]:
    row: dict[str, object] = {
        "unit": unit.number,
        "threshold": _plain(unit.threshold),
        "overlaps": list(map(_overlap_row, unit.overlaps)),
        "exemplars": list(map(_exemplar_row, unit.exemplars)),
    }
    if unit.compositions:
        row["compositions"] = list(map(_composition_row, unit.compositions))
    return row if unit.evidence is None else {**row, "evidence": _evidence_row(unit.evidence)}


def _composition_row(composition: Composition) -> dict[str, object]:
    formula = composition.formula
    return {
        "first": formula.first.number,
        "steps": [{"operator": operator, "concept": concept.number} for operator, concept in formula.steps],
        **{half: _row(getattr(composition, half), AreasForm) for half in ("searched", "held_out")},
        "gain": composition.gain,
        "p": composition.p,
        "q": composition.q,
        "truth": _row(composition.truth, TruthForm),
        "quarters": [_row(quarter, QuarterForm) for quarter in composition.quarters],
        "lit_map": composition.lit_map,
    }


def _exemplar_row(exemplar: Exemplar) -> dict[str, object]:
    return {**_row(exemplar, ExemplarForm), "concepts": [concept.number for concept in exemplar.concepts]}


def _overlap_row(overlap: Overlap) -> dict[str, object]:
    counts = ("iou", "intersection", "unit_area", "concept_area", "images")
    row: dict[str, object] = {"concept": overlap.concept.number, **{name: getattr(overlap, name) for name in counts}}
    return row if overlap.truth is None else {**row, "truth": _row(overlap.truth, TruthForm)}


def _evidence_row(evidence: Evidence) -> dict[str, object]:
    return {
        **{name: getattr(evidence, name) for name in ("p", "q", "kept", "iou", "margin")},
        "runners_up": [concept.number for concept in evidence.runners_up],
        "quarters": [_row(quarter, QuarterForm) for quarter in evidence.quarters],
        "lit_map": evidence.lit_map,
        "control": evidence.control,
    }


def _row(value: object, form: type[Form]) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in form.__struct_fields__}


def _importance_row(importance: ClassImportance) -> dict[str, object]:
    arrays = {"alphas": importance.alphas, "contributions": importance.contributions}
    statistics = dict(zip(STATISTICS, importance.statistics, strict=False))
    numbers = {name: array.tolist() for name, array in (arrays | statistics).items()}
    return {"class": importance.index, "images": importance.images, **numbers}


def _unit(form: UnitForm, concepts: Mapping[int, Concept], origin: str) -> Unit:
    overlaps = tuple(_overlap(overlap, concepts, f"{origin}, unit {form.unit}") for overlap in form.overlaps)
    exemplars = tuple(_exemplar(exemplar, concepts, f"{origin}, unit {form.unit}") for exemplar in form.exemplars)
    evidence = None if form.evidence is None else _evidence(form.evidence, concepts, f"{origin}, unit {form.unit}")
    compositions = tuple(_composition(one, concepts, f"{origin}, unit {form.unit}") for one in form.compositions)
    return Unit(form.unit, float(form.threshold), overlaps, exemplars, evidence, compositions)


def _composition(form: CompositionForm, concepts: Mapping[int, Concept], origin: str) -> Composition:
    for number in (form.first, *(step.concept for step in form.steps)):
        _require(number in concepts, f"{origin} has a formula of concept {number}, which is not listed")
    return Composition(
        Formula(concepts[form.first], tuple((step.operator, concepts[step.concept]) for step in form.steps)),
        _formula_areas(form.searched, origin),
        _formula_areas(form.held_out, origin),
        form.gain,
        form.p,
        form.q,
        Truth(**_values(form.truth)),
        quarters=tuple(Quarter(**_values(quarter)) for quarter in form.quarters),
        lit_map=form.lit_map,
    )


def _formula_areas(form: AreasForm, origin: str) -> FormulaAreas:
    areas = FormulaAreas(form.intersection, form.unit_area, form.formula_area)
    _require(form.iou == areas.iou, f"{origin}: a formula's IoU is {areas.iou!r} by its counts, not {form.iou!r}")
    return areas


def _exemplar(form: ExemplarForm, concepts: Mapping[int, Concept], origin: str) -> Exemplar:
    for number in form.concepts:
        _require(number in concepts, f"{origin} has an exemplar of concept {number}, which is not listed")
    shown = tuple(concepts[number] for number in form.concepts)
    return Exemplar(form.image, form.index, float(form.activation), form.row, form.column, shown)


def _evidence(form: EvidenceForm, concepts: Mapping[int, Concept], origin: str) -> Evidence:
    for number in form.runners_up:
        _require(number in concepts, f"{origin} has the runner-up {number}, which is not listed")
    return Evidence(
        form.p,
        form.q,
        form.kept,
        form.iou,
        form.margin,
        runners_up=tuple(concepts[number] for number in form.runners_up),
        quarters=tuple(Quarter(**_values(quarter)) for quarter in form.quarters),
        lit_map=form.lit_map,
        control=form.control,
    )


def _overlap(form: OverlapForm, concepts: Mapping[int, Concept], origin: str) -> Overlap:
    _require(form.concept in concepts, f"{origin} overlaps concept {form.concept}, which is not listed")
    truth = None if form.truth is None else Truth(**_values(form.truth))
    areas = (form.intersection, form.unit_area, form.concept_area)
    overlap = Overlap(concepts[form.concept], *areas, form.images, truth)
    _require(
        form.iou == overlap.iou,
        f"{origin}, concept {form.concept}: its IoU is {overlap.iou!r} by its counts, not {form.iou!r}",
    )
    return overlap


def _importances(form: RunForm, origin: str) -> Iterator[ClassImportance]:
    for importance in form.importances:
        _require(
            importance.class_ < len(form.classes),
            f"{origin} has importances of class {importance.class_}, which it lacks",
        )
        arrays = {name: getattr(importance, name) for name in ("alphas", "contributions", *STATISTICS)}
        yield ClassImportance(
            importance.class_,
            form.classes[importance.class_],
            importance.images,
            **{name: np.array(array, np.float64) for name, array in arrays.items() if array is not None},
        )


def _values(form: Form) -> dict[str, Any]:
    """A form's values, with an infinite quantile as a number."""
    values = msgspec.structs.asdict(form)
    return values | ({"quantile": float(values["quantile"])} if "quantile" in values else {})


def _plain(value: object) -> object:
    return value if not isinstance(value, float) or isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _shared(value: object) -> object:
    """A value of a source without the folders of its machine: of an absolute path only the last part."""
    if isinstance(value, list):
        return [_shared(item) for item in value]
    if isinstance(value, dict):
        return {name: _shared(item) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    paths: tuple[PurePath, ...] = (PurePosixPath(value), PureWindowsPath(value))
    private = any(path.is_absolute() or ".." in path.parts for path in paths) or value.startswith("~")
    return paths[1].name if private else value


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 -- a condition, as of an assertion
    if not holds:
        raise StoreError(message)
