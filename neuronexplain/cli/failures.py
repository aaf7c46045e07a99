"""How the command line ends when it fails: one line on standard error, written by one process, and a status."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from dissection.errors import NeuronExplainError, RanksError
from dissection.plain_text import visible

from . import console
from .signals import StoppedError

UsageError: Any = typer.BadParameter.__mro__[1]
"""The error for a mistyped command: click's, of which newer versions of typer hold a copy."""

_NO_MEMORY = "failed to map segment from shared object"
"""What the dynamic loader says if a library does not fit into memory."""

_KEPT = "databases and finished files are unchanged; a build or a conversion is resumed when it is started again"


def tell(error: BaseException) -> int:
    """Write in one line what went wrong, unless another of torchrun's processes has; return the exit status."""
    message, status = _outcome(error)
    line = f"neuronexplain: {visible(' '.join(message.split()))}"
    if os.environ.get("NEURONEXPLAIN_DEBUG"):
        traceback.print_exception(error)
    is_first = _is_first(error)
    if is_first:
        sys.stderr.write(f"{line}\n")
    _for_summary(line, time.time() if is_first else time.time() + 1)
    return status


def tell_usage(error: Any) -> int:  # noqa: ANN401 -- typer exports no type for it
    """Write in one line what is wrong with a mistyped command; return the exit status."""
    message = visible(" ".join(error.format_message().split())).rstrip(".")
    if message:  # a command without arguments has shown its help
        command = error.ctx.command_path if error.ctx else "neuronexplain"
        sys.stderr.write(f"neuronexplain: {message[0].lower()}{message[1:]}; see {command} --help\n")
    return int(error.exit_code)


def _is_first(error: BaseException) -> bool:
    """Whether this is the first of torchrun's processes to fail."""
    if console.rank() is None:
        return True
    from dissection.execution.ranks import leave_word

    return leave_word(error)


def _for_summary(line: str, time_of_failure: float) -> None:
    """Write the line to torchrun's error file; its summary takes the earliest whole second for the root cause."""
    if error_file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        content = {"message": {"message": line, "extraInfo": {"timestamp": int(time_of_failure)}}}
        with suppress(OSError):
            Path(error_file).write_text(json.dumps(content), encoding="utf-8")


def _outcome(error: BaseException) -> tuple[str, int]:
    """The line for an error, and the exit status."""
    match error:
        case RanksError():
            outcome = f"{error}; {_KEPT}", 2
        case NeuronExplainError():
            outcome = str(error), 2
        case StoppedError(number=signal.SIGINT):
            outcome = f"interrupted; {_KEPT}", 130
        case StoppedError() if console.rank() is None:
            outcome = f"{error}; {_KEPT}", 128 + error.number
        case StoppedError():
            reason = "another process was killed or ran out of memory, or torchrun itself was stopped"
            outcome = f"stopped by torchrun: {reason}; {_KEPT}", 128 + error.number
        case MemoryError():
            outcome = "out of memory; a smaller --batch-size needs less", 2
        case ImportError() if _NO_MEMORY in str(error):
            outcome = f"out of memory: {error}; allow the process more of it", 2
        case OSError():
            outcome = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 2
        case _:
            advice = "this is a bug in NeuronExplain; NEURONEXPLAIN_DEBUG=1 shows where"
            outcome = f"{type(error).__name__}: {error}; {advice}", 1
    return outcome
