"""A PostgreSQL server that ends connections in the middle of their work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from operations import DATED
from sqlalchemy import Engine, create_engine, inspect, text

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Server:
    """The server of the tests.

    Attributes:
        url: its address.
    """

    url: str
    _engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self._engine = create_engine(self.url, isolation_level="AUTOCOMMIT")

    def empty(self) -> None:
        """Remove all tables."""
        with self._engine.connect() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))

    def rows(self) -> list[str]:
        """All rows of all tables but the one that tells the version, without dates and the number of a run."""
        rows = []
        with self._engine.connect() as connection:
            for table in sorted(set(inspect(connection).get_table_names()) - {"meta"}):
                columns = [column["name"] for column in inspect(connection).get_columns(table)]
                number = "id" if table == "runs" else "run"
                quoted = ", ".join(f'"{name}"' for name in columns if name not in DATED | {number})
                answer = connection.execute(text(f'SELECT {quoted} FROM "{table}"'))  # noqa: S608 -- names of our tables
                rows += sorted(
                    f"{table} {[bytes(v) if isinstance(v, memoryview) else v for v in row]}" for row in answer
                )
        return rows

    def ending_a_writer(self, after: int) -> Callable[[int], None]:
        """A function that, called again and again, ends a connection that has been seen writing so many times."""
        seen = 0
        query = text("SELECT pid FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()")

        def look(_: int) -> None:
            nonlocal seen
            with self._engine.connect() as connection:
                for (number,) in connection.execute(query):
                    seen += 1
                    if seen == after:
                        connection.execute(text("SELECT pg_terminate_backend(:number)"), {"number": number})

        return look
