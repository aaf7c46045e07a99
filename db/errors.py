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


class DamagedRowsError(Exception):
    """Rows hold what no version of ours has written; :func:`explained` says of which database."""


_NO_TEXT = "it is damaged, it holds text that is not UTF-8: restore a backup of it, or build its runs again"
_ADVICE = (
    ("is full", "the disk is full, and the database is as it was before: make room and try again"),
    ("no space left", "the disk is full, and the database is as it was before: make room and try again"),
    ("is locked", "another process is writing to it: try again when that is done"),
    ("malformed", "it is damaged: restore a backup of it, or build its runs again into a new database"),
    ("could not decode", _NO_TEXT),
    ("string or blob too big", "it is damaged, or made to be: no value that we keep is as large"),
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
    except DamagedRowsError as error:
        raise StoreError(
            f"{where} is damaged, or was never one of ours ({error}): build its runs again into a new database"
        ) from error
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes a damaged definition
        raise StoreError(f"{where}: {_NO_TEXT}") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise StoreError(
            f"{where} cannot keep a value ({error}): give text without surrogates and numbers of at most 64 bits"
        ) from error


@contextmanager
def made_of_rows() -> Iterator[None]:
    """A block that makes values of rows, or a function that does: what goes wrong there is the rows' fault.

    Raises:
        DamagedRowsError: in place of an error of Python's.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, UnicodeEncodeError | OverflowError):  # of a value that was asked for, see `explained`
            raise
        raise DamagedRowsError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def has_moved(error: SQLAlchemyError) -> bool:
    """Whether a write failed because the database's file is no longer where it was opened."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlite_errorname", "") == "SQLITE_READONLY_DBMOVED"


def _reason(error: SQLAlchemyError) -> str:
    if has_moved(error):
        return "its file was moved or removed meanwhile: start again"
    message = str(error.orig if isinstance(error, DBAPIError) else error)
    for fragment, advice in _ADVICE:
        if fragment in message.lower():
            return advice
    return " ".join(message.split())
