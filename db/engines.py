"""Connections to a database: making and checking it, and opening it for reading or writing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from sqlalchemy import URL, create_engine, event, insert, update
from sqlalchemy.exc import IntegrityError, NoSuchModuleError, ProgrammingError

from dissection.files.leftovers import sweep, temporary_sibling

from .errors import StoreError, explained
from .location import Location
from .locks import WaitingConnection
from .own_tables import require_room, version_of
from .records import SCHEMA
from .schema import is_in, meta, metadata
from .time_limit import limit_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

Mode = Literal["read", "write"]

_LONGEST_VALUE = 2**26
"""Bytes of the longest value that is read from a file: arrays, pictures and sources have some millions at most."""
_SERVER_PATIENCE = 120_000  # milliseconds that a server may think about a question


def opened(location: Location) -> Engine:
    """An engine that reads a database and cannot change it.

    Raises:
        StoreError: if there is no such database, or it is not one of ours.
        SchemaError: if a newer version wrote it, or one that is too old.
    """
    path = location.path
    if path is not None and not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise StoreError(f"{location} {state}: build a database with `neuronexplain build ... --db {location}`")
    engine = _engine(location, "read")
    with _disposed_on_error(engine):
        _require_ours(engine, location)
    return engine


def created(location: Location) -> Engine:
    """An engine that writes; the database and its tables are made if they are missing.

    A database of an older schema gets the tables that it lacks; its runs stay as they are.

    Raises:
        StoreError: if it cannot be made, or holds other tables with the same names.
        SchemaError: if a newer version wrote it, or one that is too old.
    """
    path = location.path
    if path is not None:
        sweep(path.absolute().parent)
        if not path.exists():
            _make_file(path)
    engine = _engine(location, "write")
    with _disposed_on_error(engine):
        _make_tables(engine, location)
        _require_ours(engine, location)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: it is kept completely or not at all."""
    # SQLite must take its write lock at once: a transaction that turns from reading to writing cannot wait for others.
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        yield connection


def _engine(location: Location, mode: Mode) -> Engine:
    with explained(location):
        try:
            return _sqlite(location.path, mode) if location.path is not None else _server(location.url, mode)
        except NoSuchModuleError:
            raise StoreError(
                f"{location}: SQLAlchemy knows no {location.url.drivername!r} database: give sqlite or "
                "postgresql+psycopg"
            ) from None
        except ModuleNotFoundError as error:
            raise StoreError(f"{location} needs the package {error.name!r}: install it") from None


def _server(url: URL, mode: Mode) -> Engine:
    # A reader sees a single moment, so a run that is deleted meanwhile stays whole for it.
    engine = create_engine(
        url,
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
        execution_options={"postgresql_readonly": mode == "read"},
    )
    if mode == "read" and engine.dialect.name == "postgresql":

        def begin(connection: Connection) -> None:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_SERVER_PATIENCE}")

        event.listen(engine, "begin", begin)
    return engine


def _sqlite(path: Path, mode: Mode, *, access: Literal["rw", "rwc"] = "rw") -> Engine:
    # Readers, too, open the file as "rw", which never makes one: a read-only connection could not roll back what a
    # killed build left in the journal, and would fail until the next build. `query_only` refuses every write.
    engine = create_engine(
        URL.create("sqlite", database=path.absolute().as_uri(), query={"mode": access, "uri": "true"}),
        connect_args={"timeout": 0, "factory": WaitingConnection},
    )

    def configure(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver's own transactions leave out CREATE TABLE
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        if mode == "read":
            connection.execute("PRAGMA query_only = ON")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    limit_time(engine, path)
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def _make_file(path: Path) -> None:
    """Make a database beside ``path`` and put it there in one step: no one ever sees it half made."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: the folder {path.parent} does not exist: make it first")
    try:
        with temporary_sibling(path) as folder:
            folder.mkdir()
            fresh = folder / path.name
            engine = _sqlite(fresh, "write", access="rwc")
            try:
                _make_tables(engine, Location.of(path))
            finally:
                engine.dispose()
            _put(fresh, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be made ({error.strerror}): name a place that can be written") from error


def _put(fresh: Path, path: Path) -> None:
    with suppress(FileExistsError):  # another process was faster: its database serves as well
        try:
            os.link(fresh, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links on this file system: an empty file, whose tables come in one transaction
            path.touch(exist_ok=False)


def _make_tables(engine: Engine, location: Location) -> None:
    with explained(location):
        try:
            with writing(engine) as connection:
                _make_missing_tables(connection, location)
        except (IntegrityError, ProgrammingError):
            # Another process may have made the tables at the same moment: then use those.
            with engine.begin() as connection:
                if version_of(connection, location) != SCHEMA:
                    raise


def _make_missing_tables(connection: Connection, location: Location) -> None:
    match version_of(connection, location):
        case None:
            require_room(connection, metadata.sorted_tables, location)
            metadata.create_all(connection, metadata.sorted_tables, checkfirst=False)
            connection.execute(insert(meta), {"name": "schema", "value": str(SCHEMA)})
        case version if version < SCHEMA:
            lacking = [table for table in metadata.sorted_tables if not is_in(table, version)]
            require_room(connection, lacking, location)
            metadata.create_all(connection, lacking, checkfirst=False)
            connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(SCHEMA)))


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _require_ours(engine: Engine, location: Location) -> None:
    with explained(location), engine.begin() as connection:
        version = version_of(connection, location)
    if version is None:
        raise StoreError(f"{location} holds no names: build them with `neuronexplain build ... --db {location}`")
