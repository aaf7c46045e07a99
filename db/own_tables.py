"""Checks that a database holds our tables as we make them, and nothing that could answer in their place.

In somebody's database a view can stand where a table is expected, and never end; a trigger can change what is written;
a column can be computed, or compare without case. So the definitions are compared before anything else is read.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import column, inspect, select, table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from .errors import SchemaError, StoreError
from .records import OLDEST_SCHEMA, SCHEMA
from .schema import is_in, meta, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Dialect, Table

    Definitions = Mapping[str, str]

_SQLITE_MASTER: Final = table("sqlite_master", column("type"), column("name"), column("sql"))
_SQLITE_S_OWN: Final = ("sqlite_sequence", "sqlite_stat", "sqlite_autoindex_")
_MOST: Final = 100
"""Definitions that are read: more than ours."""
_REMEDY: Final = "it was changed, or made by something else; build its runs again into a new database"
_ACTING: Final = "table with triggers or rules"

_RELATIONS: Final = text(
    "SELECT relname, relkind, relhasrules OR relrowsecurity OR EXISTS"
    " (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND NOT tgisinternal) AS acts FROM pg_class"
    " WHERE pg_table_is_visible(oid) AND relname = ANY(:names) AND relkind IN ('r', 'v', 'm', 'f', 'p')"
)


def version_of(connection: Connection, location: object) -> int | None:
    """The schema version of a database whose tables are ours; ``None`` if it holds no names.

    Raises:
        StoreError: if its tables are not as we make them, or it holds more than them.
        SchemaError: if a newer version wrote it, or one that is too old.
    """
    definitions = _definitions(connection)
    expected = _expected(connection.dialect, [meta])
    if definitions.get(_name(meta)) != expected[_name(meta)]:
        return None
    version = _version(connection)
    if version is None:
        return None
    if not OLDEST_SCHEMA <= version <= SCHEMA:
        remedy = "update NeuronExplain" if version > SCHEMA else "build its runs again into a new database"
        raise SchemaError(
            f"{location} is of schema version {version}, this NeuronExplain reads versions {OLDEST_SCHEMA} to "
            f"{SCHEMA}: {remedy}"
        )
    tables = [of for of in metadata.sorted_tables if is_in(of, version)]
    _require(definitions, _expected(connection.dialect, tables), location)
    return version


def require_room(connection: Connection, tables: list[Table], location: object) -> None:
    """Check that nothing is in the way of new tables: in a file nothing else at all, on a server none of their names.

    Raises:
        StoreError: naming what is in the way.
    """
    allowed = _expected(connection.dialect, [of for of in metadata.sorted_tables if of not in tables])
    names = set(map(_name, tables))
    taken = sorted(
        name
        for name in _definitions(connection).keys() - allowed.keys()
        if connection.dialect.name == "sqlite" or name in names
    )
    if taken:
        listed = ", ".join(name.split()[-1] for name in sorted(taken, key=lambda name: name.startswith("index"))[:10])
        raise StoreError(f"{location} holds tables of something else ({listed}): give a new database")


def _version(connection: Connection) -> int | None:
    value = str(connection.execute(select(meta.c.value).where(meta.c.name == "schema")).scalar())
    return int(value) if re.fullmatch(r"[0-9]{1,6}", value) else None


def _require(definitions: Definitions, expected: Definitions, location: object) -> None:
    for name in sorted(definitions.keys() | expected.keys()):
        if name not in definitions:
            raise StoreError(f"{location} lacks the {name}: {_REMEDY}")
        if name not in expected:
            surplus = "drop its triggers and rules" if name.startswith(_ACTING) else "drop it"
            raise StoreError(
                f"{location} holds the {name}, which NeuronExplain does not make: {surplus}, or build its runs again "
                "into a new database"
            )
        if definitions[name] != expected[name]:
            raise StoreError(f"{location} has another {name} than NeuronExplain makes: {_REMEDY}")


def _name(of: Table) -> str:
    return f"table {of.name}"


def _expected(dialect: Dialect, tables: Sequence[Table]) -> Definitions:
    if dialect.name != "sqlite":
        return {_name(of): _columns({column.name: column.type.python_type for column in of.columns}) for of in tables}
    return {name: sql for of in tables for name, sql in _made_in_files(of)}


@cache  # to write them anew is a third of what opening a database takes
def _made_in_files(of: Table) -> tuple[tuple[str, str], ...]:
    """The definitions of a table and its indices as we make them in a file of SQLite's, by kind and name."""
    dialect = sqlite.dialect()
    made = {_name(of): str(CreateTable(of).compile(dialect=dialect))}
    made |= {f"index {index.name}": str(CreateIndex(index).compile(dialect=dialect)) for index in of.indexes}
    return tuple((name, _plain(sql)) for name, sql in made.items())


def _definitions(connection: Connection) -> Definitions:
    """What a database defines, by kind and name: in a file everything, on a server our names alone."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(select(_SQLITE_MASTER).limit(_MOST)).all()
        return {
            f"{row.type} {row.name}": _plain(row.sql or "")
            for row in rows
            if not (row.type in {"table", "index"} and str(row.name).startswith(_SQLITE_S_OWN))
        }
    inspector, names = inspect(connection), set(metadata.tables)
    kinds = dict.fromkeys(inspector.get_table_names(), "table") | dict.fromkeys(inspector.get_view_names(), "view")
    if connection.dialect.name == "postgresql":
        rows = connection.execute(_RELATIONS, {"names": sorted(names)}).all()
        kinds = {row.relname: "table" if row.relkind == "r" else "view" for row in rows}
        kinds |= {row.relname: _ACTING for row in rows if row.acts}
    return {
        f"{kind} {name}": _columns({info["name"]: info["type"].python_type for info in inspector.get_columns(name)})
        for name, kind in kinds.items()
        if name in names
    }


def _columns(types: Mapping[str, type]) -> str:
    return ", ".join(f"{name} {kind.__name__}" for name, kind in types.items())


def _plain(sql: str) -> str:
    """A statement without what versions of SQLAlchemy write in different ways: blanks, and quotes around names."""
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.replace('"', "").split()))
