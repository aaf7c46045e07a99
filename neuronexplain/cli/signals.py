"""Ctrl-C and SIGTERM as an error that leaves everything in order; what comes at a bad moment waits for a better one.

This is imported before anything that takes time, so it imports next to nothing itself.
"""

from __future__ import annotations

import os
import signal
import sys
from threading import Timer

TYPE_CHECKING = False  # typing's own would be imported first
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)
_PAUSE = 0.02
"""Seconds until a signal that came at a bad moment is repeated."""

is_ending = False
"""Whether the command is ending already: signals change nothing any more. To be set before anything is called."""

_held: list[int] = []
_outermost: list[FrameType] = []


class StoppedError(BaseException):
    """Ctrl-C or SIGTERM, as an error that typer does not turn into an exit status."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


def hold() -> None:
    """Keep signals for :func:`listen`."""
    for number in _ENDING:
        signal.signal(number, lambda number, _: _held.append(number))


def listen() -> None:
    """Raise signals as a `StoppedError` in the main thread from now on.

    A library that is interrupted while it is imported can neither be used nor imported again in this process, so an
    import that was begun by the caller is finished first.

    Raises:
        StoppedError: for a signal that was held.
    """
    global is_ending  # noqa: PLW0603 -- a variable is set without a call, in which a signal could come
    is_ending = False
    _outermost[:] = [sys._getframe(1)]  # noqa: SLF001 -- inspect's way takes long to import
    for number in _ENDING:
        signal.signal(number, _stop)
    sys.unraisablehook = _stop_later
    if _held:
        raise StoppedError(_held.pop())


def ignore() -> None:
    """Ignore signals: the process is ending already. A handler in Python would not outlast the interpreter."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    if is_ending:
        return
    if _is_importing(frame) or (sys.exception() is not None and "RANK" in os.environ):
        _repeat(number)  # torchrun stops every process when one ends: an error that is on its way out tells more
    else:
        raise StoppedError(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and frame not in _outermost:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _stop_later(unraisable: Any) -> None:  # noqa: ANN401 -- Python's own
    """Repeat a signal that came during a callback, where Python drops errors; show others as Python does."""
    if isinstance(unraisable.exc_value, StoppedError):
        _repeat(unraisable.exc_value.number)
    else:
        sys.__unraisablehook__(unraisable)


def _repeat(number: int) -> None:
    timer = Timer(_PAUSE, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
