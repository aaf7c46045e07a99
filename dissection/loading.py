"""Reads photographs and labels so that the network need not wait for them.

On a GPU the network runs by itself, and worker processes read ahead (PyTorch's ``DataLoader``). On the CPU the network
takes all cores, and whoever reads beside it slows it down; there threads read between two passes, on all cores. What is
read, and in which order, is the same.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

from .errors import NeuronExplainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Batch = TypeVar("Batch")


def batches(
    read: Callable[[int], Item],
    collate: Callable[[list[Item]], Batch],
    indices: Sequence[range],
    *,
    workers: int,
    pinned: bool = False,
) -> Iterator[Batch]:
    """Read items batch by batch, in order.

    Args:
        read: reads one item; can be pickled where processes are not forked.
        collate: makes a batch of items.
        indices: the items of each batch.
        workers: processes that read ahead; 0 for threads of this one that read when asked.
        pinned: whether tensors are wanted in memory that a GPU can fetch from.

    Raises:
        NeuronExplainError: whatever ``read`` raises, or that a worker was killed.
    """
    reading = _Reading(read, collate)
    yield from _in_processes(reading, indices, workers, pinned) if workers else _in_threads(reading, indices)


@dataclass(frozen=True)
class _Reading(Dataset[object], Generic[Item, Batch]):
    """Reads a whole batch at a time; an error is handed on, so that it arrives as it was raised."""

    read: Callable[[int], Item]
    collate: Callable[[list[Item]], Batch]

    def __getitem__(self, batch: range) -> Batch | _Failure:  # type: ignore[override]
        try:
            return self.collate([self.read(index) for index in batch])
        except Exception as error:  # noqa: BLE001 -- raised again where the batch is wanted
            return _Failure(error)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Exception


def _in_threads(reading: _Reading[Item, Batch], indices: Sequence[range]) -> Iterator[Batch]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as pool:
        for batch in indices:
            yield reading.collate(list(pool.map(reading.read, batch)))


def _in_processes(
    reading: _Reading[Item, Batch], indices: Sequence[range], workers: int, pinned: bool
) -> Iterator[Batch]:
    loader: DataLoader[Batch | _Failure] = DataLoader(
        reading,  # type: ignore[arg-type]
        sampler=indices,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        pin_memory=pinned,
        worker_init_fn=_leave_interrupts,
    )
    try:
        for batch in loader:
            if isinstance(batch, _Failure):
                raise batch.error
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise NeuronExplainError(
            "a process that reads photographs was killed, perhaps for want of memory; try fewer with --workers"
        ) from error


def _leave_interrupts(_worker: int) -> None:
    """Ctrl-C is for the process that started the worker, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
