"""Reads runs, and what belongs to them, from the tables."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select

from dissection.vocabulary import (
    Concept,
    Dissection,
    Layer,
    Unit,
    UnitName,
)

from .checksums import dissection_checksum, whole_checksum
from .errors import StoreError, made_of_rows
from .excess import LitContributions
from .fetching import fetched
from .records import KEY_OF_EVIDENCE, KEY_OF_FORMULAS, OLDEST_SCHEMA, STATISTICS, ClassImportance, Run, RunKey, WholeRun
from .schema import (
    BESIDES,
    BEST,
    DISSECTION,
    NUMBERS,
    UNITS,
    bodies,
    class_statistics,
    classes,
    concepts,
    exemplar_concepts,
    formula_lengths,
    formula_terms,
    importances,
    is_in,
    overlaps,
    pictures,
    provenance,
    runners_up,
    runs,
    units,
)
from .values import dissection_of, grouped, known_concepts, shown_by, supports_of, units_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jaxtyping import Float64
    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    Rows = Mapping[Table, Sequence[Row[Any]]]

_CONCEPT = (concepts.c.number, concepts.c.name, concepts.c.category)

# Outer joins: a class that lacks its arrays is damage to report, not a class for which nothing was gathered; statistics
# may be lacking. Only runs since schema 3 have them, or even a table of them.
_CLASSES = classes.outerjoin(
    importances, (importances.c.run == classes.c.run) & (importances.c["class"] == classes.c.number)
)
_CLASSES_WITH_STATISTICS = _CLASSES.outerjoin(
    class_statistics, (class_statistics.c.run == classes.c.run) & (class_statistics.c["class"] == classes.c.number)
)
_STATISTICS_OF_CLASSES = classes.outerjoin(
    class_statistics, (class_statistics.c.run == classes.c.run) & (class_statistics.c["class"] == classes.c.number)
)
_MEANS = (importances.c.alphas, importances.c.contributions)
_LIT = (class_statistics.c.lits, class_statistics.c.lit_squares)
_STATISTICS = tuple(class_statistics.c[name] for name in STATISTICS)

_AT_ONCE = 500
"""Rows that one query asks for by number; SQLite takes 999 parameters and more."""


@made_of_rows()
def read_runs(connection: Connection, *conditions: ColumnElement[bool]) -> list[Run]:
    """The runs that meet all conditions, oldest first.

    Raises:
        StoreError: if a run's key is not that of its digest.
    """
    numbers = select(runs.c.id).where(*conditions)
    labelled = select(classes).where(classes.c.run.in_(numbers)).order_by(*classes.primary_key)
    labels = {run: tuple(row.label for row in rows) for run, rows in grouped(fetched(connection, labelled), "run")}
    rows = fetched(connection, select(runs).where(*conditions).order_by(runs.c.id))
    if any(row.key_schema > OLDEST_SCHEMA for row in rows):  # otherwise the database may lack the table
        query = select(provenance).where(provenance.c.run.in_(numbers))
        facts = {row.run: (row.licence, row.draws, row.control) for row in fetched(connection, query)}
    else:
        facts = {}
    body_of, length_of = {}, {}
    if any(is_in(bodies, row.key_schema) for row in rows):
        kept = fetched(connection, select(bodies).where(bodies.c.run.in_(numbers)))
        body_of = {row.run: row.fingerprint for row in kept}
        searched = fetched(connection, select(formula_lengths).where(formula_lengths.c.run.in_(numbers)))
        length_of = {row.run: row.key_length for row in searched}
    return [
        _run(
            row,
            labels.get(row.id, ()),
            body_of.get(row.id, ""),
            length_of.get(row.id, 1),
            *facts.get(row.id, ("", 0, None)),
        )
        for row in rows
    ]


def count_rows(connection: Connection, run: Run) -> dict[str, int]:
    """How many rows a run has, by table."""
    return {
        table.name: connection.execute(select(func.count()).where(table.c.run == run.id)).scalar_one()
        for table in (*DISSECTION, *BESIDES)
        if is_in(table, run.key.schema)
    }


@made_of_rows()
def require_unchanged(connection: Connection, run: Run, tables: Sequence[Table]) -> None:
    """Check that a run's dissection (`DISSECTION`), or what else belongs to it (`BESIDES`), is as it was stored.

    Raises:
        StoreError: if it was changed or damaged.
    """
    _require_unchanged(connection, run, _rows(connection, run, tables))


@made_of_rows()
def read_dissection(connection: Connection, run: Run) -> Dissection:
    """The whole dissection of a run.

    Raises:
        StoreError: if it was changed or damaged.
    """
    rows = _rows(connection, run, DISSECTION)
    _require_unchanged(connection, run, rows)
    return dissection_of(run, rows)


@made_of_rows()
def read_unit(connection: Connection, run: Run, number: int) -> Unit | None:
    """One unit, or ``None``."""
    rows = {
        table: fetched(connection, _of(table, run.id, table.c[column] == number))
        for table, column in UNITS.items()
        if is_in(table, run.key.schema)
    }
    mentioned = {row.concept for table in (overlaps, runners_up, formula_terms) for row in rows.get(table, ())}
    mentioned.update(number for row in rows.get(exemplar_concepts, ()) for _, number in shown_by(row))
    supports = fetched(connection, _of(concepts, run.id, concepts.c.number.in_(mentioned)))
    return next(units_of(rows, known_concepts(supports_of(supports))), None)


def read_names(connection: Connection, run: int, min_iou: float) -> Iterator[UnitName]:
    """The names of the units whose best overlap reaches ``min_iou``, in the units' order."""
    best = overlaps.join(concepts, (concepts.c.run == overlaps.c.run) & (concepts.c.number == overlaps.c.concept))
    query = (
        select(overlaps.c.unit, overlaps.c.iou, overlaps.c.images, *_CONCEPT)
        .select_from(best)
        .where(overlaps.c.run == run, overlaps.c.rank == BEST, overlaps.c.iou >= min_iou)
        .order_by(overlaps.c.unit)
    )
    for row in fetched(connection, query):
        yield UnitName(row.unit, Concept(row.number, row.name, row.category), row.iou, row.images)


def read_thresholds(connection: Connection, run: int) -> Float64[np.ndarray, " units"]:
    """``T_k`` by unit."""
    query = select(units.c.threshold).where(units.c.run == run).order_by(units.c.number)
    return np.array([row.threshold for row in fetched(connection, query)], dtype=np.float64)


def read_picture(connection: Connection, run: int, image: int) -> bytes | None:
    """The JPEG of an image, or ``None``."""
    condition = (pictures.c.run == run) & (pictures.c.number == image)
    return next((row.jpeg for row in fetched(connection, select(pictures.c.jpeg).where(condition))), None)


def read_pictures(connection: Connection, run: int, images: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """The JPEGs of those images that there are."""
    for start in range(0, len(images), _AT_ONCE):
        condition = (pictures.c.run == run) & pictures.c.number.in_(images[start : start + _AT_ONCE])
        for row in fetched(connection, select(pictures.c.number, pictures.c.jpeg).where(condition)):
            yield row.number, row.jpeg


def read_importances(connection: Connection, run: Run) -> Iterator[ClassImportance]:
    """The importances of each class for which any were gathered, ascending by index.

    Raises:
        StoreError: if an array does not hold a number for every unit.
    """
    return _importances(connection, run, _importances_query(run).order_by(classes.c.number))


@made_of_rows()
def read_importance(connection: Connection, run: Run, index: int) -> ClassImportance | None:
    """The importances for a class, or ``None`` if none were gathered.

    Raises:
        StoreError: if an array does not hold a number for every unit.
    """
    return next(_importances(connection, run, _importances_query(run).where(classes.c.number == index)), None)


@made_of_rows()
def read_lit_contributions(connection: Connection, run: Run) -> LitContributions | None:
    """The lit contributions to every class that has importances, or ``None`` if any lacks them.

    Raises:
        StoreError: if an array does not hold a number for every unit.
    """
    if not run.key.keeps_evidence:
        return None
    query = (
        select(classes.c.number, classes.c.label, classes.c.images, *_LIT)
        .select_from(_STATISTICS_OF_CLASSES)
        .where(classes.c.run == run.id, classes.c.images.is_not(None))
    )
    rows = sorted(fetched(connection, query), key=attrgetter("number"))
    if not rows or any(row.lits is None for row in rows):
        return None
    means, squares = (
        np.stack([_numbers(getattr(row, column.name), run, row.label) for row in rows]) for column in _LIT
    )
    return LitContributions([row.number for row in rows], [row.images for row in rows], means, squares)


@made_of_rows()
def read_whole(connection: Connection, run: Run, origin: str) -> WholeRun:
    """A run with everything that belongs to it.

    Raises:
        StoreError: if it was changed or damaged.
    """
    gathered = tuple(read_importances(connection, run))
    rows = _rows(connection, run, (*DISSECTION, *BESIDES))
    _require_unchanged(connection, run, rows)
    jpegs = {row.number: row.jpeg for row in rows[pictures]}
    return WholeRun(run, dissection_of(run, rows), gathered, jpegs, origin)


def _run(
    row: Row[Any], labels: Sequence[str], body: str, length: int, licence: str, draws: int, control: int | None
) -> Run:
    apart = (*KEY_OF_EVIDENCE, KEY_OF_FORMULAS)
    names = [field.name for field in fields(RunKey) if field.name not in apart]
    parts = {name: getattr(row, f"key_{name}") for name in names}
    key = RunKey(**parts, draws=draws, control=control is not None, length=length)
    if key.digest != row.digest:
        raise _changed(row.id)
    return Run(
        id=row.id,
        key=key,
        created=datetime.fromisoformat(row.created),
        network=row.network,
        source=_source(row.source),
        classes=tuple(labels),
        layer=Layer(**{field.name: getattr(row, f"layer_{field.name}") for field in fields(Layer)}),
        concepts=row.concepts,
        images=row.images,
        pixels=row.pixels,
        constant_alphas=bool(row.constant_alphas),
        evidence=row.evidence,
        licence=licence,
        control=control,
        body=body,
    )


def _source(text: str) -> dict[str, Any]:
    source = json.loads(text)
    if not isinstance(source, dict):
        raise TypeError(f"the source of a run is {text[:80]!r}, not a JSON object")
    return source


def _rows(connection: Connection, run: Run, tables: Iterable[Table]) -> Rows:
    """The rows of a run, in the order of each table's key; the database may lack tables that the run's schema lacks."""
    return {table: fetched(connection, _of(table, run.id)) for table in tables if is_in(table, run.key.schema)}


def _of(table: Table, run: int, *conditions: ColumnElement[bool]) -> Select[Any]:
    columns = [column for column in table.columns if column.name != "run"]
    return select(*columns).where(table.c.run == run, *conditions).order_by(*table.primary_key)


def _require_unchanged(connection: Connection, run: Run, rows: Rows) -> None:
    """Check that the rows of a dissection, of what else belongs to a run, or of both, are those that were written."""
    if overlaps in rows and not _has_same_index(connection, run, rows[overlaps]):
        raise _changed(run.id)
    if not run.key.keeps_evidence:
        return
    columns = [column for column in runs.columns if column.name != "id"]
    checked = {runs: fetched(connection, select(*columns).where(runs.c.id == run.id)), **rows}
    kept = fetched(connection, select(provenance).where(provenance.c.run == run.id))
    if len(kept) != 1 or not _agrees(kept[0], checked):
        raise _changed(run.id)


def _has_same_index(connection: Connection, run: Run, rows: Sequence[Row[Any]]) -> bool:
    """Whether the index that names are read from says what the table says: it is a copy, and may be damaged alone."""
    columns = [overlaps.c[name] for name in ("unit", "concept", "iou", "images")]
    query = select(*columns).where(overlaps.c.run == run.id, overlaps.c.rank == BEST).order_by(overlaps.c.unit)
    best = [(row.unit, row.concept, row.iou, row.images) for row in rows if row.rank == 0]
    return best == [tuple(row) for row in fetched(connection, query)]


def _agrees(kept: Row[Any], rows: Rows) -> bool:
    if DISSECTION[0] in rows:
        dissection = dissection_checksum(rows, licence=kept.licence, draws=kept.draws, control=kept.control)
        if dissection != kept.dissection_checksum:
            return False
    return BESIDES[0] not in rows or whole_checksum(rows, kept.dissection_checksum) == kept.checksum


def _changed(run: int) -> StoreError:
    return StoreError(
        f"run {run} was changed or damaged since it was stored: build or import it again into a new database"
    )


def _importances_query(run: Run) -> Select[Any]:
    tables = _CLASSES_WITH_STATISTICS if run.key.keeps_evidence else _CLASSES
    statistics = _STATISTICS if run.key.keeps_evidence else ()
    return (
        select(classes.c.number, classes.c.label, classes.c.images, *_MEANS, *statistics)
        .select_from(tables)
        .where(classes.c.run == run.id, classes.c.images.is_not(None))
    )


def _importances(connection: Connection, run: Run, query: Select[Any]) -> Iterator[ClassImportance]:
    for row in fetched(connection, query):
        index, label, images, alphas, contributions, *others = tuple(row)
        arrays = (alphas, contributions, *(array for array in others if array is not None))
        yield ClassImportance(index, label, images, *(_numbers(array, run, label) for array in arrays))


def _numbers(data: bytes | None, run: Run, label: str) -> Float64[np.ndarray, " units"]:
    size, expected_size = len(data or b""), np.dtype(NUMBERS).itemsize * run.layer.units
    if data is None or size != expected_size:
        raise StoreError(
            f"run {run.id} holds {size} bytes of importances for class {label!r}, not {expected_size}: the database is "
            "damaged, build the run again into a new one"
        )
    return np.frombuffer(data, NUMBERS).astype(np.float64)
