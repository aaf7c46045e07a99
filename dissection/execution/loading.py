"""Reads photographs and labels so that the network does not wait for them.

On a GPU the network leaves the cores free, and worker processes read ahead (PyTorch's ``DataLoader``). On the CPU the
network takes all cores, and reading beside it would slow it down; there threads read between two passes, on all cores.
The items and their order are the same.
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
    """Read items batch by batch, in order: ahead in processes, or in threads when a batch is requested.

    Args:
        read: reads one item.
        collate: makes a batch of items.
        batches: the items of each batch.
        workers: processes that read ahead; 0 for threads of this one.
        pinned: whether tensors are put into memory that a GPU can fetch from.

    Raises:
        NeuronExplainError: if a worker was killed; errors of ``read`` pass through.
    """
    if workers:
        yield from _in_processes(_Batch(read, collate), batches, workers, pinned=pinned)
        return
    for group in _groups(batches):
        items = deque(in_threads(read, chain(*group)))  # all of them, so that no thread reads during a pass
        for batch in group:
            yield collate([items.popleft() for _ in batch])


def _groups(batches: Sequence[range]) -> Iterator[list[range]]:
    """Batches that are read together, so that threads are not woken and awaited too often."""
    group: list[range] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def work_ahead(
    read: Callable[[int], Item], work: Callable[[Item], Result], tasks: Sequence[int], *, workers: int
) -> Iterator[Result]:
    """Read the input of tasks, work on it on all cores, and yield the results in order, ahead of the caller.

    If threads work, one of them reads for all: reading consists of Python calls, and threads that take turns at them
    wait for each other longer than they read.

    Args:
        read: reads the input of a task.
        work: works on that, mostly outside Python's lock.
        tasks: the tasks.
        workers: processes that do both; 0 for threads of this one.

    Raises:
        NeuronExplainError: if a worker was killed; errors of ``read`` and ``work`` pass through.
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
    """A function as a dataset; an error is returned, so that it arrives as it was raised."""

    work: Callable[[Task], Result]

    def __getitem__(self, task: Task) -> Result | _Failure:
        try:
            return self.work(task)
        except Exception as error:  # noqa: BLE001 -- raised again where the result is used
            return _Failure(error)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


def _in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], workers: int, *, pinned: bool
) -> Iterator[Result]:
    with warnings.catch_warnings():
        # the number of workers is the user's choice, and torch's warning would point to torch's files
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
        gc.collect()  # a forked worker that collects this process's objects of the GPU's driver is killed by it
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
            "a process that reads photographs was killed, perhaps for lack of memory; try fewer with --workers"
        ) from error


def _unchanged(result: Result) -> Result:
    """For torch, which would make lists of tuples, and tensors of arrays."""
    return result


def _settle(_worker: int) -> None:
    """Leave Ctrl-C to the parent process, which ends the worker, and do not collect the parent's objects."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
