"""Writes runs into their tables, and deletes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert

from . import schema
from .checksums import dissection_checksum, whole_checksum
from .rows import whole_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from .checksums import Rows
    from .records import Run, WholeRun


def write_whole(connection: Connection, whole: WholeRun, created: datetime) -> int:
    """Insert a run and everything that belongs to it; return its number.

    Raises:
        sqlalchemy.exc.IntegrityError: if the store holds a run with the same key.
    """
    rows = whole_rows(whole, created)
    (run_row,) = rows[schema.runs]
    number = write_run(connection, run_row)
    for table in (*schema.DISSECTION, *schema.BESIDES):
        _write(connection, table, number, rows[table])
    if whole.run.key.keeps_evidence:
        _write(connection, schema.provenance, number, [_provenance_row(whole.run, rows)])
    return number


def write_run(connection: Connection, row: Sequence[Any]) -> int:
    """Insert a run's own row and return its number.

    Raises:
        sqlalchemy.exc.IntegrityError: if the store holds a run with the same key.
    """
    columns = schema.runs.columns.keys()[1:]
    written = connection.execute(insert(schema.runs), dict(zip(columns, row, strict=True)))
    assert written.inserted_primary_key is not None
    return int(written.inserted_primary_key[0])


def delete_run(connection: Connection, run: int) -> None:
    """Delete run number ``run`` and every row that belongs to it."""
    for table in reversed(schema.metadata.sorted_tables):
        if "run" in table.c:
            connection.execute(delete(table).where(table.c.run == run))
    connection.execute(delete(schema.runs).where(schema.runs.c.id == run))


def _write(connection: Connection, table: Table, run: int, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows through the driver: half of the time would go into SQLAlchemy's own handling of each."""
    if not rows:
        return
    statement = insert(table).compile(dialect=connection.dialect)
    records: list[Any] = [(run, *row) for row in rows]
    if not statement.positional:
        records = [dict(zip(table.columns.keys(), record, strict=True)) for record in records]
    connection.exec_driver_sql(str(statement), records)


def _provenance_row(run: Run, rows: Rows) -> tuple[Any, ...]:
    dissection = dissection_checksum(rows, licence=run.licence, draws=run.draws, control=run.control)
    return run.licence, run.draws, run.control, dissection, whole_checksum(rows, dissection)
