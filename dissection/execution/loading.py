"""Reads photographs and labels so that the network need not wait for them.

On a GPU the network runs by itself, and worker processes read ahead (PyTorch's ``DataLoader``). On the CPU the network
takes all cores, and whoever reads beside it slows it down; there threads read between two passes, on all cores. What is
read, and in which order, is the same.
"""

from __future__ import annotations

import gc
import signal
import warnings
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

from dissection.errors import NeuronExplainError

from .threads import in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_AT_ONCE = 64
"""Items that threads read between two passes."""

Task = TypeVar("Task")
Item = TypeVar("Item")
Result = TypeVar("Result")


def read_batches(
    read: Callable[[int], Item],
    collate: Callable[[list[Item]], Result],
    batches: Sequence[range],
    *,
    workers: int,
    pinned: bool = False,
) -> Iterator[Result]:
    """Read items batch by batch, in order: in processes ahead, or in threads when a batch is asked for.

    Args:
        read: reads one item.
        collate: makes a batch of items.
        batches: the items of each batch.
        workers: processes that read ahead; 0 for threads of this one.
        pinned: whether tensors are wanted in memory that a GPU can fetch from.

    Raises:
        NeuronExplainError: whatever ``read`` raises, or that a worker was killed.
    """
    if workers:
        yield from _in_processes(_Batch(read, collate), batches, workers, pinned=pinned)
        return
    for several in _groups(batches):
        items = deque(in_threads(read, chain(*several)))  # all of them, so that no thread reads beside a pass
        for batch in several:
            yield collate([items.popleft() for _ in batch])


def _groups(batches: Sequence[range]) -> Iterator[list[range]]:
    """Batches that are read at once: threads are not woken and waited for too often."""
    several: list[range] = []
    for batch in batches:
        several.append(batch)
        if sum(map(len, several)) >= _AT_ONCE:
            yield several
            several = []
    if several:
        yield several


def work_ahead(
    read: Callable[[int], Item], work: Callable[[Item], Result], tasks: Sequence[int], *, workers: int
) -> Iterator[Result]:
    """Read what tasks need, work on it on all cores, and give the results in order, ahead of whoever asks.

    Where threads work, one reads for all of them: reading is calls of Python, and threads that take turns at those wait
    for each other longer than they read.

    Args:
        read: reads what a task needs.
        work: works on that, mostly outside of Python's lock.
        tasks: the tasks.
        workers: processes that do both; 0 for threads of this one.

    Raises:
        NeuronExplainError: whatever is raised by ``read`` or ``work``, or that a worker was killed.
    """
    if workers:
        yield from _in_processes(_Both(read, work), tasks, workers, pinned=False)
        return
    yield from in_threads(work, map(read, tasks))


@dataclass(frozen=True)
class _Both(Generic[Item, Result]):
    """Reads and works."""

    read: Callable[[int], Item]
    work: Callable[[Item], Result]

    def __call__(self, task: int) -> Result:
        return self.work(self.read(task))


@dataclass(frozen=True)
class _Batch(Generic[Item, Result]):
    """Reads a whole batch."""

    read: Callable[[int], Item]
    collate: Callable[[list[Item]], Result]

    def __call__(self, batch: range) -> Result:
        return self.collate([self.read(index) for index in batch])


@dataclass(frozen=True)
class _Working(Dataset["Result | _Failure"], Generic[Task, Result]):
    """Work as a dataset; an error is handed on, so that it arrives as it was raised."""

    work: Callable[[Task], Result]

    def __getitem__(self, task: Task) -> Result | _Failure:
        try:
            return self.work(task)
        except Exception as error:  # noqa: BLE001 -- raised again where the result is wanted
            return _Failure(error)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


def _in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, *, pinned: bool
) -> Iterator[Result]:
    with warnings.catch_warnings():
        # how many is for whoever asked to say; torch would tell them about its own files
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader: DataLoader[Result | _Failure] = DataLoader(
            _Working(work),
            sampler=tasks,
            batch_size=None,
            collate_fn=_unchanged,
            num_workers=workers,
            pin_memory=pinned,
            worker_init_fn=_settle,
        )
        gc.collect()  # a forked worker that collects what the GPU's driver made for this process is killed by it
        results = iter(loader)
    try:
        for result in results:
            if isinstance(result, _Failure):
                raise result.error
            yield result
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise NeuronExplainError(
            "a process that reads photographs was killed, perhaps for want of memory; try fewer with --workers"
        ) from error


def _unchanged(result: Result) -> Result:
    """For torch, which would make lists of tuples, and tensors of arrays."""
    return result


def _settle(_worker: int) -> None:
    """Leave Ctrl-C to the process that started the worker, which ends it, and that process's objects alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
