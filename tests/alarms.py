"""Signals that come in the middle of something."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class StopError(BaseException):
    """As the command line raises one for SIGTERM."""


@contextmanager
def stopping(delay: float) -> Iterator[None]:
    """Raise a `StopError` after so many seconds."""

    def stop(*_: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
