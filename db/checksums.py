"""A checksum of everything that is kept of a run: what was changed or damaged since shows when the run is read.

It is a sha256 over the run's rows as they are kept, table by table and column by column, in the order of the tables'
keys; the run's number is left out, and so are the tables that came after schema 3 where they are empty, since runs of
schema 3 have none. Real numbers are taken as IEEE doubles, whole numbers as integers of 64 bits, each
least significant byte first, text as JSON, and arrays and pictures with their lengths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sqlalchemy import BigInteger, Double, LargeBinary, Table

from .schema import BESIDES, DISSECTION, NUMBERS, is_in, runs

if TYPE_CHECKING:
    from sqlalchemy import Column

    from .records import Run

NEWEST_CHECKED = 3
"""The schema whose tables every checksum is over."""

Rows: TypeAlias = Mapping[Table, Sequence[Sequence[Any]]]
"""Rows by table, in the order of the table's key: values in the order of its columns, without the run's number."""


def dissection_checksum(rows: Rows, *, licence: str, draws: int, control: int | None) -> str:
    """The checksum of a run's own row and of its dissection.

    Args:
        rows: of `runs` and of the tables of a dissection.
        licence: of the run.
        draws: of the run.
        control: of the run.

    Raises:
        TypeError: if a value is of another type than its column.
        ValueError: likewise.
    """
    return _checksum((runs, *DISSECTION), rows, [licence, draws, control])


def whole_checksum(rows: Rows, dissection: str) -> str:
    """The checksum of a whole run.

    Args:
        rows: of the tables of what belongs to a run besides its dissection.
        dissection: the dissection's checksum.

    Raises:
        TypeError: if a value is of another type than its column.
        ValueError: likewise.
    """
    return _checksum(BESIDES, rows, [dissection])


def run_checksum(rows: Rows, run: Run) -> str:
    """The checksum of a run and everything that belongs to it.

    Args:
        rows: of `runs` and of all tables of what belongs to a run.
        run: the run.

    Raises:
        TypeError: if a value is of another type than its column.
        ValueError: likewise.
    """
    dissection = dissection_checksum(rows, licence=run.licence, draws=run.draws, control=run.control)
    return whole_checksum(rows, dissection)


def _checksum(tables: Sequence[Table], rows: Rows, facts: list[object]) -> str:
    digest = hashlib.sha256(json.dumps(facts).encode())
    for table in tables:
        if not is_in(table, NEWEST_CHECKED) and not rows.get(table):
            continue
        digest.update(f"{table.name} {len(rows[table])}\n".encode())
        columns = list(table.columns)[1:]
        for column, values in zip(columns, zip(*rows[table], strict=True), strict=False):
            digest.update(_content(column, values))
    return digest.hexdigest()


def _content(column: Column[Any], values: Sequence[Any]) -> bytes:
    """A column's values as bytes that no other values have."""
    if isinstance(column.type, Double):
        # SQLite returns a negative zero as zero.
        return (np.array(values, np.float64) + 0.0).astype(NUMBERS).tobytes()
    if isinstance(column.type, BigInteger):
        numbers = [-1 if value is None else value for value in values] if column.nullable else values
        return np.array(numbers, "<i8").tobytes()  # no count is negative
    if isinstance(column.type, LargeBinary):
        return json.dumps([len(value) for value in values]).encode() + b"".join(values)
    return json.dumps(values).encode()
