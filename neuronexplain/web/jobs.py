"""Work for the network, done one piece after another in the order in which it came, and its results for a while."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Full, Queue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dissection.errors import NeuronExplainError

from .limited import Limited

if TYPE_CHECKING:
    from dissection.execution.settings import Progress

_log = logging.getLogger(__name__)

MOST_WAITING: Final = 16
"""Pieces of work that wait; each holds a photograph of some megabytes."""

MOST_KEPT: Final = 100
"""Results that are kept, each of about a megabyte; then the oldest goes."""

State = Literal["waiting", "working", "done", "failed"]
Work: TypeAlias = Callable[["Progress"], object]


class BusyError(NeuronExplainError):
    """Too much work waits already."""


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work.

    Attributes:
        id: its name in addresses, which cannot be guessed.
        number: how many were asked for before it.
        state: how far it is.
        stage: what is being done, if it takes long, and how much of it is done.
        result: what came of it.
        error: why nothing did, in a sentence.
    """

    id: str
    number: int
    work: Work | None = field(repr=False)
    state: State = "waiting"
    stage: tuple[str, int, int] | None = None
    result: object = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it is done or has failed."""
        return self.state in {"done", "failed"}


class Jobs:
    """A queue of work, the thread that does it, and the results."""

    def __init__(self) -> None:
        self._waiting: Queue[Job] = Queue(MOST_WAITING)
        self._kept: Limited[str, Job] = Limited(MOST_KEPT)
        self._lock = Lock()
        self._asked = self._done = 0
        self._thread: Thread | None = None

    def add(self, work: Work) -> Job:
        """Put work at the end of the queue.

        Args:
            work: called with what it is to report its progress to; errors of ours become its sentence.

        Raises:
            BusyError: if the queue is full.
        """
        with self._lock:
            job = Job(secrets.token_urlsafe(12), self._asked, work)
            try:
                self._waiting.put_nowait(job)
            except Full:
                raise BusyError(f"{MOST_WAITING} photographs are waiting already: try again in a moment") from None
            self._asked += 1
            self._kept.keep(job.id, job)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="network", daemon=True)
                self._thread.start()
        return job

    def find(self, id: str) -> Job | None:  # noqa: A002 -- what addresses hold
        """A job, or ``None`` if it is not, or no longer, kept."""
        return self._kept.get(id)

    def ahead_of(self, job: Job) -> int:
        """How many others are done before it, the one that is being done too."""
        return max(job.number - self._done, 0)

    def _run(self) -> None:
        while True:
            job = self._waiting.get()
            _do(job)
            with self._lock:
                self._done = job.number + 1


def _do(job: Job) -> None:
    work, job.work = job.work, None  # a kept job does not hold its photograph
    assert work is not None

    def report(stage: str, done: int, total: int) -> None:
        job.stage = stage, done, total

    job.state = "working"
    try:
        job.result = work(report)
        job.state = "done"
    except NeuronExplainError as error:
        job.error, job.state = str(error), "failed"
    except MemoryError:
        job.error, job.state = "There is not enough memory for that; try a smaller photograph.", "failed"
    except Exception as error:  # noqa: BLE001 -- the thread must go on to the next job
        _log.exception("A job failed that should not have")
        job.error, job.state = f"{type(error).__name__}: {error}; this is a bug in NeuronExplain", "failed"
