"""One pass over photographs whose class is known, with a record of each, which a killed audit resumes from."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import NetworkError, require_finite
from dissection.files.leftovers import temporary_folder
from dissection.files.paths import readable
from dissection.files.read_files import ReadFiles
from dissection.images.photographs import open_photograph
from dissection.networks.forward import forward
from dissection.networks.passes import Work, resumable_pass
from neuronexplain.evaluation.record_journal import open_journal
from neuronexplain.evaluation.runner import require_one_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from db.records import Run
    from dissection.execution.settings import Execution
    from dissection.networks.forward import Pass
    from dissection.networks.network import Network
    from neuronexplain.class_images import ClassImages
    from neuronexplain.evaluation.record_journal import Record


@dataclass(frozen=True, slots=True, eq=False)
class LabelledBatch:
    """Photographs that the network has looked at.

    Attributes:
        names: their paths in the folder.
        photographs: the photographs.
        classes: the class that each shows.
        result: the network's scores and maps, which have a graph.
    """

    names: Sequence[str]
    photographs: Sequence[Image.Image]
    classes: Sequence[int]
    result: Pass


@dataclass(frozen=True, slots=True, eq=False)
class PhotographPass:
    """A pass over photographs sorted by class.

    Attributes:
        network: the network.
        run: the run whose names it speaks.
        images: the photographs.
        execution: how the work is carried out, in one process; only batch size, workers and progress count.
        out: folder of the journal; without one the records are not kept.
        fresh: discard an earlier journal.
    """

    network: Network
    run: Run
    images: ClassImages
    execution: Execution
    out: Path | None = None
    fresh: bool = False

    def records(
        self, kind: str, settings: Mapping[str, Any], observe: Callable[[LabelledBatch], list[Record]]
    ) -> list[Record]:
        """A record of each photograph, in order.

        Args:
            kind: name of the journal, and of the stage in progress reports.
            settings: what the records depend on besides network, run and photographs, as JSON values.
            observe: makes the records of a batch.

        Raises:
            ActivationError: if a map of the layer holds a NaN or an infinity; the message names the photograph.
            CheckpointError: if the folder holds another audit.
            NetworkError: if a score is a NaN or an infinity.
            PhotographError: if a file is not a photograph.
        """
        require_one_process(self.execution.ranks.count)
        images, batch_size = len(self.images.images), self.execution.batch_size
        heading = {
            "audit": kind,
            "settings": dict(settings),
            "network": self.network.whole_fingerprint,
            "run": self.run.key.digest,
            "arithmetic": f"{self.network.precision} on {self.network.device.type}, torch {torch.__version__}",
            "photographs": self._fingerprint(),
            "images": images,
            "batch size": batch_size,
        }
        with (
            _folder(self.out) as folder,
            open_journal(folder / f"{kind}.jsonl", heading, batch_size=batch_size, fresh=self.fresh) as journal,
        ):
            self.execution.report(kind, len(journal.records), images)
            work = Work(partial(_photograph, self.paths), list, partial(self._begin, observe, self.names))
            for _ in resumable_pass(images, work, journal, self.execution, stage=kind):
                pass
            return journal.records

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [path for path, _ in self.images.images]

    @property
    def names(self) -> list[str]:
        """Their paths in the folder."""
        return [readable(path.relative_to(self.images.root)) for path in self.paths]

    def _begin(
        self,
        observe: Callable[[LabelledBatch], list[Record]],
        names: Sequence[str],
        images: range,
        photographs: list[Image.Image],
    ) -> Callable[[], list[Record]]:
        batch = slice(images.start, images.stop)
        classes = [index for _, index in self.images.images[batch]]
        return partial(self._observed, observe, names[batch], photographs, classes)

    def _observed(
        self,
        observe: Callable[[LabelledBatch], list[Record]],
        names: Sequence[str],
        photographs: Sequence[Image.Image],
        classes: Sequence[int],
    ) -> list[Record]:
        preprocessing = self.network.preprocessing
        frames = [preprocessing.tensor(preprocessing.frame(photograph)) for photograph in photographs]
        result = forward(self.network, torch.stack(frames).to(self.network.device))
        require_finite(result.finite[0].tolist(), self.network.layer.name, names)
        for name, is_finite in zip(names, result.scores.detach().isfinite().all(1).tolist(), strict=True):
            if not is_finite:
                raise NetworkError(
                    f"{self.network.name} gives {name} a score that is a NaN or infinite; check its weights"
                )
        return observe(LabelledBatch(names, photographs, classes, result))

    def _fingerprint(self) -> str:
        """sha256 over names, classes and contents, so that a photograph that was changed is noticed."""
        digest = hashlib.sha256(self.images.fingerprint(ReadFiles()).encode())
        for name in self.names:
            digest.update(f" {name}".encode())
        return digest.hexdigest()


def _photograph(paths: Sequence[Path], index: int) -> Image.Image:
    return open_photograph(paths[index])


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is None:
        with temporary_folder() as folder:
            yield folder
    else:
        yield out
