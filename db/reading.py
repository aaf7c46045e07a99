"""Turns rows into values, equal to those that were written."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from dissection.vocabulary import Concept, ConceptSupport, Dissection, Exemplar, Layer, Overlap, Unit, UnitName

from .errors import StoreError
from .records import ClassImportance, Run, RunKey, WholeRun
from .schema import BEST, NUMBERS, classes, concepts, exemplars, importances, overlaps, pictures, runs, units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jaxtyping import Float64
    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

_CONCEPT = (concepts.c.number, concepts.c.name, concepts.c.category)

# An outer join: a class that lacks its arrays is damage to report, not a class for which nothing was gathered.
_GATHERED = (
    select(classes.c.number, classes.c.label, classes.c.images, importances.c.alphas, importances.c.contributions)
    .outerjoin_from(
        classes, importances, (importances.c.run == classes.c.run) & (importances.c["class"] == classes.c.number)
    )
    .where(classes.c.images.is_not(None))
)


def read_runs(connection: Connection, *conditions: ColumnElement[bool]) -> list[Run]:
    """The runs that meet all conditions, oldest first."""
    numbers = select(runs.c.id).where(*conditions)
    labelled = select(classes).where(classes.c.run.in_(numbers)).order_by(*classes.primary_key)
    labels = {run: tuple(row.label for row in rows) for run, rows in _grouped(connection.execute(labelled), "run")}
    rows = connection.execute(select(runs).where(*conditions).order_by(runs.c.id))
    return [_run(row, labels.get(row.id, ())) for row in rows]


def read_dissection(connection: Connection, run: Run) -> Dissection:
    """The whole dissection of a run."""
    return Dissection(
        layer=run.layer,
        quantile=run.key.quantile,
        min_images=run.key.min_images,
        images=run.images,
        pixels=run.pixels,
        concepts=tuple(_supports(connection, run.id)),
        units=tuple(_units(connection, run.id, _known(connection, run.id))),
    )


def read_unit(connection: Connection, run: int, number: int) -> Unit | None:
    """One unit, or ``None``."""
    named = select(overlaps.c.concept).where(overlaps.c.run == run, overlaps.c.unit == number)
    known = _known(connection, run, concepts.c.number.in_(connection.execute(named).scalars().all()))
    return next(_units(connection, run, known, number), None)


def read_names(connection: Connection, run: int, min_iou: float) -> Iterator[UnitName]:
    """The names of the units whose best overlap reaches ``min_iou``, in the units' order."""
    best = overlaps.join(concepts, (concepts.c.run == overlaps.c.run) & (concepts.c.number == overlaps.c.concept))
    query = (
        select(overlaps.c.unit, overlaps.c.iou, overlaps.c.images, *_CONCEPT)
        .select_from(best)
        .where(overlaps.c.run == run, overlaps.c.rank == BEST, overlaps.c.iou >= min_iou)
        .order_by(overlaps.c.unit)
    )
    for unit, iou, images, *concept in connection.execute(query).all():
        yield UnitName(unit, Concept(*concept), iou, images)


def read_thresholds(connection: Connection, run: int) -> Float64[np.ndarray, " units"]:
    """``T_k`` by unit."""
    query = select(units.c.threshold).where(units.c.run == run).order_by(units.c.number)
    return np.array(connection.execute(query).scalars().all(), dtype=np.float64)


def read_picture(connection: Connection, run: int, image: int) -> bytes | None:
    """The JPEG of an image, or ``None``."""
    condition = (pictures.c.run == run) & (pictures.c.number == image)
    jpeg = connection.execute(select(pictures.c.jpeg).where(condition)).scalar()
    return None if jpeg is None else bytes(jpeg)


def read_importances(connection: Connection, run: Run) -> Iterator[ClassImportance]:
    """The importances of each class for which any were gathered, ascending by index.

    Raises:
        StoreError: if an array does not hold a number for every unit.
    """
    return _importances(connection, run, _GATHERED.order_by(classes.c.number))


def read_importance(connection: Connection, run: Run, index: int) -> ClassImportance | None:
    """The importances for a class, or ``None`` if none were gathered.

    Raises:
        StoreError: if an array does not hold a number for every unit.
    """
    return next(_importances(connection, run, _GATHERED.where(classes.c.number == index)), None)


def read_whole(connection: Connection, run: Run, origin: str) -> WholeRun:
    """A run with everything that belongs to it."""
    importances = tuple(read_importances(connection, run))
    jpegs = {row.number: row.jpeg for row in connection.execute(_of(pictures, run.id))}
    return WholeRun(run, read_dissection(connection, run), importances, jpegs, origin)


def _run(row: Row[Any], labels: Sequence[str]) -> Run:
    return Run(
        id=row.id,
        key=RunKey(**_prefixed(row, "key_", RunKey)),
        created=datetime.fromisoformat(row.created),
        network=row.network,
        source=json.loads(row.source),
        classes=tuple(labels),
        layer=Layer(**_prefixed(row, "layer_", Layer)),
        concepts=row.concepts,
        images=row.images,
        pixels=row.pixels,
        constant_alphas=bool(row.constant_alphas),
        evidence=row.evidence,
    )


def _importances(connection: Connection, run: Run, query: Select[Any]) -> Iterator[ClassImportance]:
    for index, label, images, *means in connection.execute(query.where(classes.c.run == run.id)):
        yield ClassImportance(index, label, images, *(_numbers(mean, run, label) for mean in means))


def _numbers(data: bytes | None, run: Run, label: str) -> Float64[np.ndarray, " units"]:
    size, expected_size = len(data or b""), np.dtype(NUMBERS).itemsize * run.layer.units
    if data is None or size != expected_size:
        raise StoreError(
            f"run {run.id} holds {size} bytes of importances for class {label!r}, not {expected_size}: the database is "
            "damaged, build the run again into a new one"
        )
    return np.frombuffer(data, NUMBERS).astype(np.float64)


def _prefixed(row: Row[Any], prefix: str, kind: type[RunKey | Layer]) -> dict[str, Any]:
    return {field.name: getattr(row, prefix + field.name) for field in fields(kind)}


def _of(table: Table, run: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(table).where(table.c.run == run, *conditions).order_by(*table.primary_key)


def _grouped(rows: Iterable[Any], column: str) -> Iterator[tuple[int, Iterator[Any]]]:
    return groupby(rows, key=attrgetter(column))


def _supports(connection: Connection, run: int, *conditions: ColumnElement[bool]) -> Iterator[ConceptSupport]:
    for row in connection.execute(_of(concepts, run, *conditions)):
        yield ConceptSupport(Concept(row.number, row.name, row.category), row.images, row.pixels)


def _known(connection: Connection, run: int, *conditions: ColumnElement[bool]) -> dict[int, Concept]:
    return {support.concept.number: support.concept for support in _supports(connection, run, *conditions)}


def _units(connection: Connection, run: int, known: dict[int, Concept], number: int | None = None) -> Iterator[Unit]:
    def rows_of(table: Table, unit: str) -> Iterator[tuple[int, Iterator[Any]]]:
        conditions = () if number is None else (table.c[unit] == number,)
        return _grouped(connection.execute(_of(table, run, *conditions)).all(), unit)

    overlaps_of = {unit: tuple(_overlap(row, known) for row in rows) for unit, rows in rows_of(overlaps, "unit")}
    exemplars_of = {unit: tuple(_exemplar(row) for row in rows) for unit, rows in rows_of(exemplars, "unit")}
    for unit, rows in rows_of(units, "number"):
        yield Unit(unit, next(rows).threshold, overlaps_of.get(unit, ()), exemplars_of.get(unit, ()))


def _overlap(row: Row[Any], known: dict[int, Concept]) -> Overlap:
    return Overlap(known[row.concept], row.intersection, row.unit_area, row.concept_area, row.images)


def _exemplar(row: Row[Any]) -> Exemplar:
    return Exemplar(row.image, row.number, row.activation, row.row, row.column)
