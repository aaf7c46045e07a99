"""Runs commands: in children of one process that has everything loaded, or as a user's shell starts them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from interposer import Interposer, Strike

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds after which a command hangs."""

MOST_MEMORY = 2 << 30
"""Bytes that no attack may make a command use."""

_LIMIT = 3 << 30
"""Bytes of address space that a command may add: beyond them it is refused memory, so that the machine survives."""

_TICK = 0.004
_LONGEST_TICK = 0.2
"""A longer pause means that this process was stopped itself; it is not the command's."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended.

    Attributes:
        status: exit status, or minus the signal that ended it.
        out: its standard output.
        err: its standard error.
        peak: the most memory it used, in bytes.
        hung: whether it was stopped for taking too long.
        calls: number of calls that counted for its strike.
    """

    status: int
    out: str
    err: str
    peak: int = 0
    hung: bool = False
    calls: int = 0


class Warm:
    """A process with everything imported, whose children each run one command in a fraction of a second."""

    def __init__(self, interposer: Interposer | None) -> None:
        self.interposer = interposer

    def rehearse(self, words: Sequence[object]) -> None:
        """Run a command in this process, so that what it loads and compiles is there for the children."""
        from neuronexplain.cli.app import app

        with _captured() as (out, err), _redirected(out, err):
            app([str(word) for word in words], standalone_mode=False)

    def run(
        self,
        words: Sequence[object],
        *,
        root: Path,
        strike: Strike | None = None,
        before: Callable[[], None] | None = None,
        beside: Callable[[int], None] | None = None,
        patience: float = PATIENCE,
    ) -> Ending:
        """Run a command in a child.

        Args:
            words: the command.
            root: the folder whose files a strike concerns.
            strike: where the child is struck.
            before: called in the child before the command.
            beside: called again and again with the child's number while it runs.
            patience: seconds after which it hangs.
        """
        interposer = self.interposer if strike else None
        if interposer and strike:
            interposer.prepare(strike, root)
        with _captured() as (out, err):
            child = os.fork()
            if child == 0:
                self._live([str(word) for word in words], out, err, before, interposer)
            status, peak, hung = _awaited(child, beside, patience)
            return Ending(status, _text(out), _text(err), peak, hung, interposer.seen if interposer else 0)

    @staticmethod
    def _live(
        words: list[str], out: int, err: int, before: Callable[[], None] | None, interposer: Interposer | None
    ) -> None:
        """The life of a child; it never returns."""
        status = 1
        try:
            os.setsid()
            for descriptor, place in ((out, 1), (err, 2), (os.open(os.devnull, os.O_RDONLY), 0)):
                os.dup2(descriptor, place)
            _limit_memory()
            if before is not None:
                before()
            if interposer is not None:
                interposer.arm()
            from neuronexplain.cli.app import main

            sys.argv = ["neuronexplain", *words]
            main()
            status = 0
        except SystemExit as ending:
            status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        except BaseException:  # noqa: BLE001 -- the parent reads it
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


def cold(
    words: Sequence[object],
    *,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    shell: str = "",
    beside: Callable[[int], None] | None = None,
    patience: float = PATIENCE * 4,
) -> Ending:
    """Run a command in a new interpreter.

    Args:
        words: the command.
        environment: its variables; by default this process's.
        before: called in the process before the interpreter starts.
        shell: a command of a shell that runs it, with ``"$@"`` where the words belong.
        beside: called again and again with the process's number while it runs.
        patience: seconds after which it hangs; the imports alone take seconds.
    """
    line = [sys.executable, "-m", "neuronexplain", *map(str, words)]
    return launched(["bash", "-c", shell, "bash", *line] if shell else line, environment, before, beside, patience)


def launched(
    line: Sequence[str],
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    beside: Callable[[int], None] | None = None,
    patience: float = PATIENCE * 4,
) -> Ending:
    """Run any program, in a session of its own."""
    base = plain_environment() if environment is None else dict(environment)
    with _captured() as (out, err):
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=base,
            preexec_fn=before,
            start_new_session=True,
        )
        status, peak, hung = _awaited(process.pid, beside, patience)
        process.returncode = status  # waited for already
        return Ending(status, _text(out), _text(err), peak, hung)


def plain_environment() -> dict[str, str]:
    """This process's variables, without the interposer, and with this project first on Python's path."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return {**environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _awaited(child: int, beside: Callable[[int], None] | None, patience: float) -> tuple[int, int, bool]:
    """Exit status, peak of memory and whether the child hung; what it started ends with it."""
    waited, before, hung = 0.0, time.monotonic(), False
    while True:
        number, status, usage = os.wait4(child, os.WNOHANG)
        if number:
            break
        if beside is not None:
            beside(child)
        time.sleep(_TICK)
        now = time.monotonic()
        waited, before = waited + min(now - before, _LONGEST_TICK), now
        if waited > patience and not hung:
            hung = True
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024, hung


class _captured:  # noqa: N801 -- used as a function
    """Two files in memory, for a command's output."""

    def __enter__(self) -> tuple[int, int]:
        self._files = os.memfd_create("out"), os.memfd_create("err")
        return self._files

    def __exit__(self, *exception: object) -> None:
        for descriptor in self._files:
            os.close(descriptor)


class _redirected:  # noqa: N801 -- used as a function
    """Standard output and error of this process, led elsewhere."""

    def __init__(self, out: int, err: int) -> None:
        self._places = {1: out, 2: err}

    def __enter__(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._kept = {place: os.dup(place) for place in self._places}
        for place, descriptor in self._places.items():
            os.dup2(descriptor, place)

    def __exit__(self, *exception: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for place, descriptor in self._kept.items():
            os.dup2(descriptor, place)
            os.close(descriptor)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="backslashreplace")
