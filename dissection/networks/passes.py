"""One pass over many images, batch by batch: shared among ranks, read ahead, and resumed if a process is killed.

Batches are the same for any number of ranks: the results of a batch do not depend on the number of processes or
workers. :func:`resumable_pass` is the loop; :func:`observed` runs a network in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch

from dissection.execution.loading import read_batches
from dissection.execution.statistic import Statistic, nested, unnested

from .forward import forward_through, maps_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jaxtyping import UInt8
    from torch import Tensor

    from dissection.execution.checkpoint import ResumableJob
    from dissection.execution.settings import Execution
    from dissection.vocabulary import Layer

    from .forward import Pass
    from .network import Network

Item = TypeVar("Item")
Items = TypeVar("Items")
Findings = TypeVar("Findings")
Findings_contra = TypeVar("Findings_contra", contravariant=True)


class Results(Protocol[Findings_contra]):
    """Keeps the findings of batches, so that none has to be done again."""

    @property
    def done(self) -> int:
        """Number of batches that this rank has done."""
        ...

    def add(self, batch: range, findings: Findings_contra, /) -> None:
        """Add the findings of the next batch."""

    def save(self) -> bool:
        """Save the findings if it is due; returns whether they were saved."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Work(Generic[Item, Items, Findings]):
    """The work on each batch.

    Attributes:
        read: reads one image, given its index; may run in another process.
        collate: makes a batch of images.
        start: begins the work on the images of a batch, and returns a function that finishes it.
        ahead: batches that are begun before an earlier one is finished.
        pinned: whether batches are put into memory that a GPU can fetch from.
    """

    read: Callable[[int], Item]
    collate: Callable[[list[Item]], Items]
    start: Callable[[range, Items], Callable[[], Findings]]
    ahead: int = 0
    pinned: bool = False


def resumable_pass(
    images: int, work: Work[Item, Items, Findings], results: Results[Findings], execution: Execution, *, stage: str
) -> Iterator[bool]:
    """Do the batches of this rank that are not done yet.

    Args:
        images: number of images; batches are ranges of their indices.
        work: the work on each batch.
        results: keeps the findings.
        execution: how the work is carried out.
        stage: name of the stage in progress reports.

    Yields:
        After each round of one batch for every rank, whether results were just saved. All ranks see the same number of
        rounds.
    """
    batches = execution.batches(images)[results.done :]
    rounds = max(execution.ranks.gather(len(batches)))
    items = read_batches(work.read, work.collate, batches, workers=execution.workers, pinned=work.pinned)
    finished = _finished(zip(batches, items, strict=True), work)
    for _ in range(rounds):
        yield _kept(next(finished, None), results, partial(_reported, execution, stage, images))


def _finished(
    loaded: Iterator[tuple[range, Items]], work: Work[Item, Items, Findings]
) -> Iterator[tuple[range, Findings]]:
    started: deque[tuple[range, Callable[[], Findings]]] = deque()
    for batch, items in loaded:
        started.append((batch, work.start(batch, items)))
        if len(started) > work.ahead:
            yield _finish(*started.popleft())
    while started:
        yield _finish(*started.popleft())


def _finish(batch: range, finish: Callable[[], Findings]) -> tuple[range, Findings]:
    return batch, finish()


def _kept(finished: tuple[range, Findings] | None, results: Results[Findings], report: Callable[[range], None]) -> bool:
    """Hand on the findings; none of them is still held when the next batch begins."""
    if finished is None:  # this rank has fewer batches than others
        return False
    batch, findings = finished
    results.add(batch, findings)
    report(batch)
    return results.save()


def _reported(execution: Execution, stage: str, images: int, batch: range) -> None:
    execution.report(stage, batch.stop, images)


class Watcher(Protocol):
    """Sees every forward pass."""

    def look(self, forward: Pass, images: range, /) -> Mapping[str, Tensor]:
        """The tensors of a pass that are needed on the CPU; ``images`` are the indices of its images."""
        ...

    def add(self, images: range, values: Mapping[str, np.ndarray], /) -> None:
        """Add the values that :meth:`look` requested."""


class Observer(Watcher, Statistic, Protocol):
    """Collects statistics of every forward pass, which outlive the process."""


def observed(
    network: Network,
    layers: Sequence[Layer],
    photographs: tuple[int, Callable[[int], UInt8[np.ndarray, "h w 3"]]],
    watchers: Mapping[str, Watcher],
    job: ResumableJob,
    execution: Execution,
    *,
    stage: str,
    progress: str,
) -> Iterator[bool]:
    """Run a network once over every photograph; watchers see each pass.

    On a GPU the next pass runs while the values of the last one are processed.

    Args:
        network: the network.
        layers: the layers to read.
        photographs: their number, and a function that reads one at the network's input size, as bytes.
        watchers: by name; each receives the values that it requested of a pass.
        job: knows how many batches an earlier process has done, and saves the statistics.
        execution: how the work is carried out.
        stage: name of the job's stage.
        progress: name of the stage in progress reports.

    Yields:
        As :func:`resumable_pass`.
    """
    images, read = photographs
    on_gpu = network.device.type == "cuda"
    start = partial(_started, network, layers, watchers)
    work = Work(read, _stacked, start, ahead=int(on_gpu), pinned=on_gpu)
    yield from resumable_pass(images, work, _Learnt(watchers, job, stage), execution, stage=progress)
    job.save()


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """Hands the requested values to watchers; the job saves their statistics."""

    watchers: Mapping[str, Watcher]
    job: ResumableJob
    stage: str

    @property
    def done(self) -> int:
        return self.job.done(self.stage)

    def add(self, batch: range, values: Mapping[str, np.ndarray]) -> None:
        for name, watcher in self.watchers.items():
            watcher.add(batch, unnested(values, name))
        self.job.advance(self.stage)

    def save(self) -> bool:
        return self.job.save_if_due()


def _started(
    network: Network,
    layers: Sequence[Layer],
    watchers: Mapping[str, Watcher],
    batch: range,
    pixels: UInt8[Tensor, "images h w 3"],
) -> Callable[[], Mapping[str, np.ndarray]]:
    """Run the network on a batch; the returned function waits for the values that the watchers request."""
    images = network.preprocessing.normalised(pixels.to(network.device, non_blocking=True))
    forward = (forward_through if network.classes else maps_through)(network, layers, images)
    requested = nested({name: watcher.look(forward, batch) for name, watcher in watchers.items()})
    values = {name: _fetched(value) for name, value in requested.items()}
    return partial(_arrived, values, _event() if network.device.type == "cuda" else None)


def _arrived(values: Mapping[str, Tensor], ready: torch.cuda.Event | None) -> Mapping[str, np.ndarray]:
    if ready is not None:
        ready.synchronize()
    return {name: value.numpy() for name, value in values.items()}


def _stacked(photographs: list[UInt8[np.ndarray, "h w 3"]]) -> UInt8[Tensor, "images h w 3"]:
    return torch.from_numpy(np.stack(photographs))


def _fetched(value: Tensor) -> Tensor:
    """The value, on its way to the CPU."""
    value = value.detach().contiguous()
    if value.device.type != "cuda":
        return value.cpu()
    return torch.empty(value.shape, dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event
