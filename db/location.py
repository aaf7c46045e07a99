"""The address of a database: a file, or any URL that SQLAlchemy understands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dissection.errors import not_taken

from .errors import StoreError

_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class Location:
    """A database's address; as text it never shows a password."""

    url: URL

    @classmethod
    def of(cls, where: str | PathLike[str]) -> Location:
        """Parse a path or a URL (recognised by ``://``).

        Raises:
            TypeError: if it is of another kind.
            StoreError: if it is neither, or names a database in memory, which nothing could open again.
        """
        location = cls(_url(where))
        if location.url.get_backend_name() == "sqlite" and location.url.database in {None, "", ":memory:"}:
            raise StoreError(f"{location} is a database in memory: names are kept in a file, give its path")
        return location

    @property
    def path(self) -> Path | None:
        """The file, if the database is SQLite's."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None

    def __str__(self) -> str:
        if self.path is not None and self.url.database:
            return self.url.database
        secrets = [key for key in self.url.query if "pass" in key.lower()]
        return self.url.difference_update_query(secrets).render_as_string(hide_password=True)


def _url(where: object) -> URL:
    if isinstance(where, PathLike):
        where = str(where)
    elif isinstance(where, str) and "://" in where:
        return _server(where)
    if isinstance(where, str):
        return URL.create("sqlite", database=str(Path(where).expanduser()))
    raise not_taken("where", where, "the path or URL of a database")


def _server(where: str) -> URL:
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):
        shown = re.sub(r"://.*@", "://***@", where)
        raise StoreError(
            f"{shown!r} is not a database URL: give a path, or dialect+driver://user@host/database"
        ) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
