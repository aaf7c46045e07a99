"""Works on all cores in threads of this process: numpy and the codecs of images release Python's lock."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 1
"""Tasks in progress for each thread: few, since their input takes memory."""


def cores() -> int:
    """Cores for this process: those it may run on, divided by the ranks on its machine."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, available // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def in_threads(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Do tasks on all cores and yield their results in order, a few tasks ahead of the caller.

    The calling thread works too: it makes, or reads, the tasks one after another, and instead of waiting for a result
    it does a task that no thread has begun. (If it slept, the others would often wake on one core.)
    """
    waiting: deque[_Waiting[Result]] = deque()
    with ThreadPoolExecutor(max(1, cores() - 1)) as pool:
        try:
            for task in tasks:
                waiting.append(_Waiting(pool, partial(work, task)))
                if len(waiting) > _AHEAD * cores():
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


class _Waiting(Generic[Result]):
    """A task that some thread will do."""

    def __init__(self, pool: Executor, run: Callable[[], Result]) -> None:
        self._run = run
        self.future = pool.submit(run)

    def done_here(self) -> bool:
        """Do the task, unless a thread has begun it; returns whether it was done."""
        if not self.future.cancel():
            return False
        self.future = Future()
        try:
            self.future.set_result(self._run())
        except Exception as error:  # noqa: BLE001 -- raised when its turn comes
            self.future.set_exception(error)
        return True


def _first(waiting: deque[_Waiting[Result]]) -> Result:
    """The result of the first task; other tasks are done until it is ready."""
    while not waiting[0].future.done() and any(task.done_here() for task in waiting):
        pass
    return waiting.popleft().future.result()
