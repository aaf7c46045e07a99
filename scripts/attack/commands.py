"""Runs commands: in children of one process that has everything loaded, or as a user's shell starts them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from interposer import Interposer, Strike

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds after which a command hangs."""

MOST_MEMORY = 2 << 30
"""Bytes that no attack may make a command use."""

_LIMIT = 3 << 30
"""Bytes of address space that a command may add: beyond them it is refused memory, so that the machine survives."""

_DEADLY = {signal.SIGINT, signal.SIGTERM}
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


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started.

    Attributes:
        number: of its process, which leads a session of its own.
        out: a file in memory with its standard output.
        err: one with its standard error.
    """

    number: int
    out: int
    err: int

    def ending(self, beside: Callable[[int], None] | None = None, patience: float = PATIENCE) -> Ending:
        """Wait for its end; to be called once."""
        status, peak, hung = _awaited(self.number, beside, patience)
        ending = Ending(status, _text(self.out), _text(self.err), peak, hung)
        os.close(self.out)
        os.close(self.err)
        return ending


class Warm:
    """A process with everything imported, whose children each run one command in a fraction of a second."""

    def __init__(self, interposer: Interposer | None) -> None:
        self.interposer = interposer

    def rehearse(self, words: Sequence[object]) -> None:
        """Run a command in this process, so that what it loads and compiles is there for the children."""
        from neuronexplain.cli.app import app

        with open(os.devnull, "w") as nowhere, _redirected(nowhere.fileno()):  # noqa: PTH123
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
        """Run a command in a child to its end.

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
        ending = self.start(words, before=before, interposer=interposer).ending(beside, patience)
        return replace(ending, calls=interposer.seen) if interposer else ending

    def start(
        self,
        words: Sequence[object],
        *,
        before: Callable[[], None] | None = None,
        interposer: Interposer | None = None,
    ) -> Running:
        """Start a command in a child."""
        sys.stdout.flush()
        sys.stderr.flush()
        out, err = os.memfd_create("out"), os.memfd_create("err")
        signal.pthread_sigmask(signal.SIG_BLOCK, _DEADLY)  # none may end the child as if it were this process
        child = os.fork()
        if child == 0:
            self._live([str(word) for word in words], out, err, before, interposer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _DEADLY)
        return Running(child, out, err)

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
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _DEADLY)
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
            signal.pthread_sigmask(signal.SIG_BLOCK, _DEADLY)
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
    out, err = os.memfd_create("out"), os.memfd_create("err")
    process = subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=plain_environment() if environment is None else dict(environment),
        preexec_fn=before,
        start_new_session=True,
    )
    ending = Running(process.pid, out, err).ending(beside, patience)
    process.returncode = ending.status  # waited for already
    return ending


def plain_environment() -> dict[str, str]:
    """This process's variables, with this project first on Python's path."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


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


@contextmanager
def _redirected(descriptor: int) -> Iterator[None]:
    """Leads standard output and error of this process elsewhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {place: os.dup(place) for place in (1, 2)}
    for place in kept:
        os.dup2(descriptor, place)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for place, original in kept.items():
            os.dup2(original, place)
            os.close(original)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode(errors="backslashreplace")
