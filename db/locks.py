"""An SQLite connection that waits in Python for locks of other processes, so that signals are heard meanwhile.

SQLite would wait in C, where Python's signal handlers have to wait too.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE: Final = 60.0
"""Seconds to wait for another process that is publishing."""
_PAUSE: Final = 0.02
_PRIMARY: Final = 0xFF  # the bits of an extended error code that say what kind it is

_Result = TypeVar("_Result")


class WaitingCursor(sqlite3.Cursor):
    """Runs a statement when it gets the lock that it needs: one that gets none has changed nothing.

    Many rows are written in transactions that hold the lock already.
    """

    def execute(self, *statement: Any) -> WaitingCursor:  # noqa: ANN401 -- as the driver's
        """As the driver's."""
        return _unlocked(super().execute, *statement)


class WaitingConnection(sqlite3.Connection):
    """A connection to open with a timeout of 0 seconds: it has its own."""

    def cursor(self, factory: Any = WaitingCursor) -> Any:  # noqa: ANN401 -- as the driver's
        """As the driver's."""
        return super().cursor(factory)

    def commit(self) -> None:
        """As the driver's; a transaction that cannot end yet stays open, and lets no new reader in."""
        _unlocked(super().commit)


def _unlocked(act: Callable[..., _Result], *arguments: object) -> _Result:
    """Act until no other process stands in the way, or patience ends."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return act(*arguments)
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def _is_busy(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)  # errors of Python's own have none
    return code & _PRIMARY == sqlite3.SQLITE_BUSY
