"""How a job is carried out: the size of a batch, the processes, and the folder for unfinished work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from .ranks import Ranks

if TYPE_CHECKING:
    from pathlib import Path


class Progress(Protocol):
    """Called with the progress of a stage."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """``done`` of ``total`` images of the stage are finished."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a job is carried out. This never changes the result, except that a network may round by the batch size.

    Attributes:
        batch_size: images in one forward pass.
        workers: processes that read ahead; 0 for threads between the passes.
        scratch: folder for unfinished work, from which a killed job is resumed; ``None`` uses a temporary folder, from
            which nothing can be resumed.
        ranks: the processes that share the job.
        progress: called with the progress of each stage. Whether there are bars is up to the functions that people
            call: by default (``None``) where a person watches, always (``True``), or never (``False``).
    """

    batch_size: int = 16
    workers: int = 0
    scratch: Path | None = None
    ranks: Ranks = field(default_factory=Ranks)
    progress: Progress | bool | None = None

    def batches(self, images: int) -> list[range]:
        """The batches of this rank. Batches are the same for any number of ranks, and dealt out in turn."""
        starts = range(0, images, self.batch_size)
        batches = [range(start, min(start + self.batch_size, images)) for start in starts]
        return batches[self.ranks.number :: self.ranks.count]

    def report(self, stage: str, done: int, total: int) -> None:
        """Report progress: the images up to ``done`` are finished, as far as this rank knows."""
        if self.reporter is not None:
            self.reporter(stage, done, total)

    @property
    def reporter(self) -> Progress | None:
        """What is called with the progress, if anything."""
        return self.progress if callable(self.progress) else None
