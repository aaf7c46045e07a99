"""Turns values into rows: tuples in the order of their table's columns, except for a run's own row."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from . import schema
from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from dissection.vocabulary import Dissection, Unit

    from .records import ClassImportance, Run, WholeRun

Row = tuple[Any, ...]


def spoken_key(text: str) -> str:
    """A concept's name for comparison: without case, underscores or extra spaces."""
    return " ".join(text.replace("_", " ").split()).casefold()


def write_whole(connection: Connection, whole: WholeRun, created: datetime) -> int:
    """Insert a run and everything that belongs to it; return its number.

    Raises:
        sqlalchemy.exc.IntegrityError: if the store holds a run with the same key.
    """
    number = write_run(connection, whole.run, created)
    write_dissection(connection, number, whole.dissection, whole.pictures)
    write_classes(connection, number, whole.run.classes, whole.importances)
    return number


def write_run(connection: Connection, run: Run, created: datetime) -> int:
    """Insert the run's own row and return its number.

    Raises:
        sqlalchemy.exc.IntegrityError: if the store holds a run with the same key.
    """
    written = connection.execute(insert(schema.runs), _run_row(run, created))
    assert written.inserted_primary_key is not None
    return int(written.inserted_primary_key[0])


def write_dissection(connection: Connection, run: int, dissection: Dissection, pictures: Mapping[int, bytes]) -> None:
    """Insert the rows of a dissection, and of the pictures of its exemplars, that belong to run number ``run``."""
    units = dissection.units
    _write(connection, schema.concepts, _concept_rows(run, dissection))
    _write(connection, schema.units, ((run, unit.number, unit.threshold) for unit in units))
    _write(connection, schema.overlaps, (row for unit in units for row in _overlap_rows(run, unit)))
    _write(connection, schema.exemplars, (row for unit in units for row in _exemplar_rows(run, unit)))
    _write(connection, schema.pictures, ((run, image, jpeg) for image, jpeg in pictures.items()))


def write_classes(
    connection: Connection, run: int, labels: Sequence[str], importances: Iterable[ClassImportance]
) -> None:
    """Insert the classes of run number ``run`` and their importances."""
    images = {importance.index: importance.images for importance in importances}
    _write(
        connection, schema.classes, ((run, number, label, images.get(number)) for number, label in enumerate(labels))
    )
    _write(connection, schema.importances, (_importance_row(run, importance) for importance in importances))


def delete_run(connection: Connection, run: int) -> None:
    """Delete run number ``run`` and every row that belongs to it."""
    for table in reversed(schema.metadata.sorted_tables):
        if "run" in table.c:
            connection.execute(delete(table).where(table.c.run == run))
    connection.execute(delete(schema.runs).where(schema.runs.c.id == run))


def _write(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    if records := [dict(zip(table.c.keys(), row, strict=True)) for row in rows]:
        connection.execute(insert(table), records)


def _run_row(run: Run, created: datetime) -> dict[str, Any]:
    return {
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


def _plain_json(source: Mapping[str, object]) -> str:
    try:
        text = json.dumps(dict(source), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"a run's source must be plain JSON values: {error}") from error
    if json.loads(text) != dict(source):
        raise StoreError("a run's source must be plain JSON values: lists for tuples, text for keys")
    return text


def _concept_rows(run: int, dissection: Dissection) -> Iterator[Row]:
    for support in dissection.concepts:
        concept = support.concept
        yield (
            run,
            concept.number,
            concept.name,
            concept.category,
            spoken_key(concept.spoken),
            support.images,
            support.pixels,
        )


def _overlap_rows(run: int, unit: Unit) -> Iterator[Row]:
    for rank, overlap in enumerate(unit.overlaps):
        yield (
            run,
            unit.number,
            rank,
            overlap.concept.number,
            overlap.intersection,
            overlap.unit_area,
            overlap.concept_area,
            overlap.images,
            overlap.iou,
        )


def _exemplar_rows(run: int, unit: Unit) -> Iterator[Row]:
    for rank, exemplar in enumerate(unit.exemplars):
        yield (
            run,
            unit.number,
            rank,
            exemplar.image,
            exemplar.index,
            exemplar.activation,
            exemplar.row,
            exemplar.column,
        )


def _importance_row(run: int, importance: ClassImportance) -> Row:
    means = (importance.alphas, importance.contributions)
    return run, importance.index, *(mean.astype(schema.NUMBERS).tobytes() for mean in means)
