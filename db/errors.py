"""What can go wrong with a store. Each message is one line: what was found, what is needed, what to do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dissection.errors import NeuronExplainError

if TYPE_CHECKING:
    from collections.abc import Iterator


class StoreError(NeuronExplainError):
    """A database cannot be used, or cannot keep the data."""


class RunNotFoundError(StoreError):
    """No run, or more than one, fits the question."""


class ConceptNotFoundError(StoreError):
    """The requested concept names no unit."""


class SchemaError(StoreError):
    """A database was written by another version."""


_ADVICE = (
    ("is full", "the disk is full, and the database is as it was before: make room and try again"),
    ("no space left", "the disk is full, and the database is as it was before: make room and try again"),
    ("is locked", "another process is writing to it: try again when that is done"),
    ("file is not a database", "it is not an SQLite database: give one made by `neuronexplain build`"),
    ("readonly", "it is open for reading only: use NameStore.create to write, and a writable file"),
    ("read-only", "it is open for reading only: use NameStore.create to write"),
)


@contextmanager
def explained(where: object) -> Iterator[None]:
    """Turn errors of the database or its driver into a `StoreError` of one line that names the database.

    Raises:
        StoreError: in place of any error of SQLAlchemy or its driver.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"{where}: {_reason(error)}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise StoreError(f"{where} cannot keep a value: {error}") from error


def _reason(error: SQLAlchemyError) -> str:
    message = str(error.orig if isinstance(error, DBAPIError) else error)
    for fragment, advice in _ADVICE:
        if fragment in message.lower():
            return advice
    return " ".join(message.split())
