"""How the command line ends when it cannot finish: one line on standard error, said by one process, and a status."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dissection.errors import NeuronExplainError, RanksError

from . import console

if TYPE_CHECKING:
    from types import FrameType

UsageError: Any = typer.BadParameter.__mro__[1]
"""What is wrong with the words of a command: an error of click's, which newer versions of typer hold a copy of."""

_KEPT = "databases and finished files are as they were; a build or a conversion goes on when it is started again"


class StoppedError(BaseException):
    """Ctrl-C or SIGTERM, under a name that typer does not turn into an exit status of its own."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


def listen() -> None:
    """From now on Ctrl-C and SIGTERM raise `StoppedError` in the main thread, so that everything is left in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def tell(error: BaseException) -> int:
    """Say in one line what went wrong, unless another of torchrun's processes has; gives the exit status."""
    message, status = _told(error)
    line = f"neuronexplain: {' '.join(message.split())}"
    if os.environ.get("NEURONEXPLAIN_DEBUG"):
        traceback.print_exception(error)
    first = _first(error)
    if first:
        sys.stderr.write(f"{line}\n")
    _for_summary(line, time.time() if first else time.time() + 1)
    return status


def tell_usage(error: Any) -> int:  # noqa: ANN401 -- typer exports no type for it
    """Say in one line what is wrong with the words of a command; gives the exit status."""
    message = " ".join(error.format_message().split()).rstrip(".")
    if message:  # a command without words has shown its help
        command = error.ctx.command_path if error.ctx else "neuronexplain"
        sys.stderr.write(f"neuronexplain: {message[0].lower()}{message[1:]}; see {command} --help\n")
    return int(error.exit_code)


def _stop(number: int, _frame: FrameType | None) -> None:
    # torchrun stops every process when one ends; where an error is on its way out already, that has nothing to add
    if sys.exception() is None or console.rank() is None:
        raise StoppedError(number)


def _first(error: BaseException) -> bool:
    """Whether no other of torchrun's processes failed before this one."""
    if console.rank() is None:
        return True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this is the end already
    from dissection.execution.ranks import leave_word

    return leave_word(error)


def _for_summary(line: str, when: float) -> None:
    """Leave the line where torchrun looks for its summary, in which the earliest whole second is the root cause."""
    if where := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        content = {"message": {"message": line, "extraInfo": {"timestamp": int(when)}}}
        with suppress(OSError):
            Path(where).write_text(json.dumps(content), encoding="utf-8")


def _told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit status."""
    match error:
        case RanksError():
            told = f"{error}; {_KEPT}", 2
        case NeuronExplainError():
            told = str(error), 2
        case StoppedError(number=signal.SIGINT):
            told = f"interrupted; {_KEPT}", 130
        case StoppedError() if console.rank() is None:
            told = f"{error}; {_KEPT}", 128 + error.number
        case StoppedError():
            why = "another process was killed or ran out of memory, or torchrun itself was told to stop"
            told = f"stopped by torchrun: {why}; {_KEPT}", 2
        case MemoryError():
            told = "out of memory; a smaller --batch-size needs less", 2
        case OSError():
            told = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2
        case _:
            where = "this is a defect of NeuronExplain; NEURONEXPLAIN_DEBUG=1 shows where"
            told = f"{type(error).__name__}: {error}; {where}", 1
    return told
