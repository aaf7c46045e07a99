"""The processes that ``torchrun`` started for one job, as ranks that add up their results.

A process that was started alone is rank 0 of 1, and runs the same code::

    with ranks() as group:
        mine = range(group.number, images, group.count)
        total = group.sum(counts)

Tensors travel between CPUs (gloo), even if the network runs on GPUs: they are counts and order statistics, which are
small, and integers are added exactly.

A rank that stops ends the others, by whichever comes first: it leaves its reason in the store that torchrun keeps
outside its processes; its connections close; torchrun stops the others (SIGTERM). Ranks wait in Python, so that they
notice all three: inside a collective no signal is handled, and the end of a rank that is not a neighbour may go
unnoticed.

torchrun sets ``OMP_NUM_THREADS=1`` if it is unset. With more cores than ranks, set it to the number of cores per rank.
"""

from __future__ import annotations

import os
import pickle
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from dissection.errors import RanksError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Shaped
    from torch import Tensor

Value = TypeVar("Value")

_STOPPED = "neuronexplain/stopped"
_REACHABLE = timedelta(minutes=1)
"""Time for torchrun's store to answer, and for ranks to connect once all are running."""

_LAST_RESORT = timedelta(days=1)
"""Time for a collective, in which the fastest rank may wait for hours while the slowest reads its photographs. A rank
that died is noticed otherwise; this ends only the wait for one whose machine vanished."""

_LONGEST_PAUSE = 0.2
_joined = count()


@dataclass(frozen=True)
class Ranks:
    """The ranks of one job, seen from one of them. This class itself is a single process.

    Every rank must call the same methods in the same order. Results may share memory with the arguments.

    Attributes:
        number: number of this rank, from 0.
        count: number of ranks.
    """

    number: int = 0
    count: int = 1

    def sum(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """The sum over all ranks, the same on each; exact for integers. All ranks must agree in shape and type."""
        return tensor

    def largest(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """The maximum over all ranks, element by element."""
        return tensor

    def smallest(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """The minimum over all ranks, element by element."""
        return tensor

    def gather_ragged(self, tensor: Shaped[Tensor, " n"]) -> list[Shaped[Tensor, " _"]]:
        """Every rank's vector, in the order of ranks. Lengths may differ, types may not."""
        return [tensor]

    def gather(self, value: Value) -> list[Value]:
        """Every rank's value, in the order of ranks. Values are pickled, so they should be small."""
        return [value]

    def broadcast(self, value: Value) -> Value:
        """Rank 0's value; those of the others are ignored."""
        return self.gather(value)[0]


@dataclass(frozen=True)
class _Group(Ranks):
    """Several ranks, which are connected."""

    def sum(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        return _reduced(tensor, dist.ReduceOp.SUM)

    def largest(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        return _reduced(tensor, dist.ReduceOp.MAX)

    def smallest(self, tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        return _reduced(tensor, dist.ReduceOp.MIN)

    def gather_ragged(self, tensor: Shaped[Tensor, " n"]) -> list[Shaped[Tensor, " _"]]:
        lengths = [int(length) for length in self._gathered(torch.tensor([len(tensor)]))]
        padded = tensor.new_zeros(max(lengths), device="cpu")
        padded[: len(tensor)] = tensor
        rows = self._gathered(padded) if max(lengths) else [padded] * self.count
        return [row[:length].to(tensor.device) for row, length in zip(rows, lengths, strict=True)]

    def gather(self, value: Value) -> list[Value]:
        pickled = torch.frombuffer(bytearray(pickle.dumps(value)), dtype=torch.uint8)
        # what other ranks pickled is as trustworthy as this process: torchrun started both
        return [pickle.loads(row.numpy().tobytes()) for row in self.gather_ragged(pickled)]  # noqa: S301

    def _gathered(self, tensor: Shaped[Tensor, " n"]) -> list[Shaped[Tensor, " n"]]:
        gathered = [torch.empty_like(tensor) for _ in range(self.count)]
        _finish(dist.all_gather(gathered, tensor, async_op=True))
        return gathered


@contextmanager
def ranks() -> Iterator[Ranks]:
    """The ranks that torchrun started, or this process alone; they disconnect when the block ends.

    If the block ends with an error, the other ranks learn the reason and raise it as a `RanksError`. This rank does not
    disconnect then: it would wait for a collective that no rank will finish. The process is expected to end.

    Raises:
        RanksError: if the ranks cannot find each other; inside the block, if another rank stopped.
    """
    number, processes = _place()
    if processes == 1:
        yield Ranks()
        return
    try:
        yield _join(number, processes)
    except BaseException as error:
        leave_word(error)
        raise
    dist.destroy_process_group()


def leave_word(error: BaseException) -> bool:
    """Tell the other ranks why this one stops; returns whether it is the first to stop, which reports to the user.

    It may be called more than once, and before the ranks are connected.
    """
    number, processes = _place()
    if processes == 1:
        return True
    reason = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, RanksError):
        reason = f"another process stopped (rank {number} of {processes}: {reason})"
    try:
        first = _store().compare_set(_STOPPED, "", f"{number} {reason}")
    except (ValueError, dist.DistError):
        return True  # the store does not answer: better reported twice than never
    return int(first.split()[0]) == number


def local_device(device: str) -> str:
    """The device of this rank: ``cuda`` becomes the GPU with its number on its machine, others stay the same."""
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _place() -> tuple[int, int]:
    """This process's rank and the number of ranks, from torchrun's environment."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@cache
def _store() -> Store:
    """The store that all ranks reach. torchrun serves it, so it outlives every rank."""
    store: Store
    store, _, _ = next(rendezvous("env://", timeout=_REACHABLE))
    return store


def _join(number: int, processes: int) -> _Group:
    """Wait until all ranks are running, then connect: connecting cannot be interrupted, so none may be missing."""
    try:
        # gloo's addresses are kept in the store; those of an earlier group must not be found there
        store = PrefixStore(f"neuronexplain/{next(_joined)}", _store())
        store.set(str(number), "here")
        keys = [str(rank) for rank in range(processes)]
        _wait(lambda: store.check(keys))
        dist.init_process_group("gloo", store=store, rank=number, world_size=processes, timeout=_LAST_RESORT)
    except (ValueError, RuntimeError) as error:
        reason, _, _stack = str(error).partition("\n")
        raise RanksError(
            f"the {processes} processes cannot find each other ({reason}); start them with torchrun"
        ) from error
    return _Group(number, processes)


def _reduced(tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
    result = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    _finish(dist.all_reduce(result, operation, async_op=True))
    return result.to(tensor.device)


def _finish(work: dist.Work | None) -> None:
    """Wait for a collective.

    Raises:
        RanksError: if another rank stopped.
    """
    assert work is not None  # None is for processes outside the group
    _wait(work.is_completed)
    try:
        work.wait()
    except RuntimeError as error:
        _check()
        raise RanksError("another process was killed or ran out of memory; start all processes again") from error


def _wait(done: Callable[[], bool]) -> None:
    """Wait until ``done()``, or until another rank stopped."""
    pause = 0.0005
    while not done():
        _check()
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)


def _check() -> None:
    """Raise the reason that a stopped rank left."""
    try:
        if _store().check([_STOPPED]):
            raise RanksError(_store().get(_STOPPED).decode().partition(" ")[2])
    except dist.DistError as error:
        raise RanksError(
            "torchrun, or the process that served its store, is gone; start all processes again"
        ) from error
