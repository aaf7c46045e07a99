"""Converts runs from and to the JSON that `json_fields` describes."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from math import isfinite
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from db.errors import StoreError
from db.records import SCHEMA, SHARED, ClassImportance, Run, RunKey, WholeRun
from dissection.vocabulary import Concept, ConceptSupport, Dissection, Exemplar, Layer, Overlap, Unit

from .json_fields import FORMAT, VERSION, ExemplarForm, KeyForm, LayerForm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .json_fields import Form, OverlapForm, RunForm, UnitForm


def run_of(form: RunForm, where: str, pictures: Mapping[int, bytes]) -> WholeRun:
    """The run that a file holds.

    Raises:
        StoreError: if it contradicts itself.
    """
    origin = f"{where}, run {form.digest[:12]}"
    key = RunKey(**_values(form.key))
    _require(key.schema == SCHEMA, f"{origin} has schema {key.schema}, this NeuronExplain has {SCHEMA}: update it")
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
    )
    dissection = Dissection(layer, key.quantile, key.min_images, form.images, form.pixels, supports, units)
    return WholeRun(run, dissection, tuple(_importances(form, origin)), pictures, origin)


def header(licence: str | None) -> str:
    """The beginning of a file; its runs follow, separated by commas, and then ``]}``."""
    return f'{{"format": {_dumped(FORMAT)}, "version": {VERSION}, "licence": {_dumped(licence)}, "runs": ['


def run_lines(whole: WholeRun, pictures: Mapping[int, str]) -> Iterator[str]:
    """A run as JSON: one object, one row per line.

    Args:
        whole: the run.
        pictures: sha256 of each picture beside the file.
    """
    fields = list(_fields(whole, pictures))
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
    yield "source", {name: _shared(value) for name, value in run.source.items() if name != SHARED}
    yield "dataset", run.concepts
    for name in ("images", "pixels", "constant_alphas", "evidence"):
        yield name, getattr(run, name)
    yield "key", {name: _plain(getattr(key, name)) for name in KeyForm.__struct_fields__}
    yield "layer", {name: getattr(run.layer, name) for name in LayerForm.__struct_fields__}
    yield "classes", list(run.classes)
    yield "concepts", [_support_row(support) for support in whole.dissection.concepts]
    yield "units", [_unit_row(unit) for unit in whole.dissection.units]
    yield "importances", [_importance_row(importance) for importance in whole.importances]
    yield "pictures", [{"index": index, "sha256": sha256} for index, sha256 in pictures.items()]


def _support_row(support: ConceptSupport) -> dict[str, object]:
    concept = support.concept
    named = {"number": concept.number, "name": concept.name, "category": concept.category}
    return named | {"images": support.images, "pixels": support.pixels}


def _unit_row(unit: Unit) -> dict[str, object]:
    counts = ("iou", "intersection", "unit_area", "concept_area", "images")
    return {
        "unit": unit.number,
        "threshold": _plain(unit.threshold),
        "overlaps": [
            {"concept": overlap.concept.number} | {name: getattr(overlap, name) for name in counts}
            for overlap in unit.overlaps
        ],
        "exemplars": [
            {name: _plain(getattr(exemplar, name)) for name in ExemplarForm.__struct_fields__}
            for exemplar in unit.exemplars
        ],
    }


def _importance_row(importance: ClassImportance) -> dict[str, object]:
    means = {"alphas": importance.alphas.tolist(), "contributions": importance.contributions.tolist()}
    return {"class": importance.index, "images": importance.images} | means


def _unit(form: UnitForm, concepts: Mapping[int, Concept], origin: str) -> Unit:
    overlaps = tuple(_overlap(overlap, concepts, f"{origin}, unit {form.unit}") for overlap in form.overlaps)
    exemplars = tuple(Exemplar(**_values(exemplar)) for exemplar in form.exemplars)
    return Unit(form.unit, float(form.threshold), overlaps, exemplars)


def _overlap(form: OverlapForm, concepts: Mapping[int, Concept], origin: str) -> Overlap:
    _require(form.concept in concepts, f"{origin} overlaps concept {form.concept}, which is not listed")
    overlap = Overlap(concepts[form.concept], form.intersection, form.unit_area, form.concept_area, form.images)
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
        means = (np.array(mean, np.float64) for mean in (importance.alphas, importance.contributions))
        yield ClassImportance(importance.class_, form.classes[importance.class_], importance.images, *means)


def _values(form: Form) -> dict[str, Any]:
    """A form's values, with infinities as numbers."""
    values = msgspec.structs.asdict(form)
    return values | {name: float(values[name]) for name in ("quantile", "activation") if name in values}


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
