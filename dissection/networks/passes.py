"""Runs a network over many images: once each, batch by batch, shared between ranks, reading ahead.

Batches are cut the same way whoever runs them, and handed out in turn: what a batch gives does not depend on how many
processes or workers there are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from dissection.execution.loading import read_batches
from dissection.execution.ranks import Ranks

from .tap import forward_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import UInt8
    from torch import Tensor

    from dissection.vocabulary import Layer

    from .network import Network
    from .tap import Pass


class Progress(Protocol):
    """Told how far a stage has come."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """``done`` of ``total`` images of the stage are finished."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a job is done with. Nothing of it changes the result, save that a network may round by the batch size.

    Attributes:
        batch_size: images in one forward pass.
        workers: processes that read ahead, 0 for threads between the passes.
        scratch: folder for what is kept meanwhile, from which a job that was killed goes on; unless given, a temporary
            one, and no job goes on.
        ranks: the processes that share the job.
        progress: is told about the stages.
    """

    batch_size: int = 16
    workers: int = 0
    scratch: Path | None = None
    ranks: Ranks = field(default_factory=Ranks)
    progress: Progress | None = None

    def shares(self, images: int) -> list[range]:
        """The batches of this rank."""
        starts = range(0, images, self.batch_size)
        every = [range(start, min(start + self.batch_size, images)) for start in starts]
        return every[self.ranks.number :: self.ranks.count]

    def tell(self, stage: str, done: int, total: int) -> None:
        """Report progress: the images up to ``done`` are finished, as far as this rank knows."""
        if self.progress is not None:
            self.progress(stage, done, total)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was looked for in one forward pass, by name, on the CPU."""

    images: range
    values: Mapping[str, np.ndarray]


def run(
    network: Network,
    layers: Sequence[Layer],
    photographs: Callable[[int], UInt8[np.ndarray, "h w 3"]],
    shares: Sequence[range],
    look: Callable[[Pass, range], Mapping[str, Tensor]],
    means: Means,
) -> Iterator[Found]:
    """Run the network over batches of photographs and fetch what is looked for in each pass.

    A pass is under way on the GPU while the one before is worked on.

    Args:
        network: the network.
        layers: the layers to read.
        photographs: reads a photograph as the network's input, in bytes.
        shares: the batches.
        look: picks from a pass, and the indices of its images, what is wanted.
        means: with what it is done.
    """
    on_gpu = network.device.type == "cuda"
    pixels = read_batches(photographs, _stacked, shares, workers=means.workers, pinned=on_gpu)
    under_way: deque[_Fetching] = deque()
    for indices, batch in zip(shares, pixels, strict=True):
        under_way.append(_started(network, layers, batch, indices, look))
        if len(under_way) > on_gpu:
            yield under_way.popleft().arrived()
    while under_way:
        yield under_way.popleft().arrived()


@dataclass(frozen=True, slots=True, eq=False)
class _Fetching:
    """What was looked for in a pass, on its way to the CPU."""

    images: range
    values: Mapping[str, Tensor]
    ready: torch.cuda.Event | None

    def arrived(self) -> Found:
        """It, when it is there."""
        if self.ready is not None:
            self.ready.synchronize()
        return Found(self.images, {name: value.numpy() for name, value in self.values.items()})


def _started(
    network: Network,
    layers: Sequence[Layer],
    batch: UInt8[Tensor, "images h w 3"],
    indices: range,
    look: Callable[[Pass, range], Mapping[str, Tensor]],
) -> _Fetching:
    images = network.preprocessing.normalised(batch.to(network.device, non_blocking=True))
    looked = look(forward_through(network, layers, images), indices)
    fetched = {name: _fetched(value) for name, value in looked.items()}
    return _Fetching(indices, fetched, _event() if network.device.type == "cuda" else None)


def _stacked(photographs: list[UInt8[np.ndarray, "h w 3"]]) -> UInt8[Tensor, "images h w 3"]:
    return torch.from_numpy(np.stack(photographs))


def _fetched(value: Tensor) -> Tensor:
    """On its way to the CPU."""
    value = value.detach().contiguous()
    if value.device.type != "cuda":
        return value.cpu()
    return torch.empty(value.shape, dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)


def _event() -> torch.cuda.Event:
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event
