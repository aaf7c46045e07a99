"""An SQLite connection that no file can hold up: statements end within seconds, and signals are heard meanwhile.

SQLite runs a statement in C, where Python's signal handlers wait. It calls a progress handler every so many
instructions; an exception of a signal that is raised there would be swallowed, so it is kept and raised again outside.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import event

from .errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

LONGEST: Final = 20.0
"""Seconds of the processor's time for a statement; those of a build need less than one."""
_INSTRUCTIONS: Final = 200_000
_WATCH: Final = "watch"


class Watch:
    """Looks at the time while a statement runs.

    The processor's time is counted: a process that is stopped, or waits for a slow disk, does not lose any.
    """

    def __init__(self) -> None:
        self._start = time.thread_time()
        self.stopped_by: BaseException | None = None

    def begin(self) -> None:
        """Count from here."""
        self._start = time.thread_time()
        self.stopped_by = None

    def is_over(self) -> bool:
        """Whether the statement has taken too long."""
        return time.thread_time() - self._start > LONGEST

    def ticks(self) -> Iterator[bool]:
        """At each step, whether to give up.

        A generator, because the handler of a signal runs as soon as Python's code is entered: here that is inside the
        ``try``, where a function's first line would be before it.
        """
        while True:
            try:
                yield self.stopped_by is not None or self.is_over()
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001 -- raised again by `_explain`
                self.stopped_by = error


def limit_time(engine: Engine, location: object) -> None:
    """Let statements on an SQLite engine end within seconds, with a `StoreError` that names the location."""

    def watch(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        entry.info[_WATCH] = Watch()
        connection.set_progress_handler(entry.info[_WATCH].ticks().__next__, _INSTRUCTIONS)

    def begin(connection: Connection, *_: object) -> None:
        connection.info[_WATCH].begin()

    def explain(context: ExceptionContext) -> None:
        watch = context.connection.info.get(_WATCH) if context.connection is not None else None
        if watch is None or not _is_interrupted(context.original_exception):
            return
        if watch.stopped_by is not None:
            raise watch.stopped_by
        raise StoreError(
            f"a query on {location} takes more than {LONGEST:g} seconds: it is damaged, or made to do so; restore a "
            "backup of it, or build its runs again into a new database"
        )

    event.listen(engine, "connect", watch)
    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "handle_error", explain)


def _is_interrupted(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT"  # errors of Python's own have none
