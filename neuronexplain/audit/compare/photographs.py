"""Explains the same photographs with two networks, a batch at a time; resumed where it was stopped."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from dissection.errors import ClassNotFoundError, ConceptDataError
from dissection.files.paths import readable
from dissection.files.read_files import ReadFiles
from dissection.images.photographs import photographs_in
from neuronexplain.classes import find_class
from neuronexplain.evaluation.record_journal import open_journal

from .speech import side_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.execution.settings import Execution
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.explainer import Explainer
    from neuronexplain.explanation import Explanation


JOURNAL = "photographs.jsonl"


@dataclass(frozen=True, slots=True)
class PhotographFolder:
    """Photographs in a folder, or in folders that are named after classes.

    Attributes:
        root: the folder.
        paths: the photographs, in order.
    """

    root: Path
    paths: tuple[Path, ...]

    def name(self, index: int) -> str:
        """A photograph's path in the folder."""
        return readable(self.paths[index].relative_to(self.root).as_posix())

    def folder_class(self, index: int) -> str:
        """The name of the folder in ``root`` that a photograph is in; empty if it is in ``root`` itself."""
        parts = self.paths[index].relative_to(self.root).parts
        return readable(parts[0]) if len(parts) > 1 else ""

    def fingerprint(self) -> str:
        """sha256 over names and contents."""
        digest, read = hashlib.sha256(), ReadFiles()
        for index, path in enumerate(self.paths):
            with read.open(path) as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
            digest.update(hashlib.sha256(self.name(index).encode()).digest() + content)
        return digest.hexdigest()


def open_photographs(root: Path) -> PhotographFolder:
    """The photographs of a folder and its subfolders.

    Raises:
        ConceptDataError: if there is no such folder, or it holds no photograph.
    """
    if not root.is_dir():
        raise ConceptDataError(f"{root} is not a folder; name one of photographs, or of a folder for each class")
    paths = tuple(photographs_in(root))
    if not paths:
        raise ConceptDataError(f"{root} holds no photographs; at least one is needed")
    return PhotographFolder(root, paths)


def explained_by_both(
    photographs: PhotographFolder,
    explainers: tuple[Explainer, Explainer],
    out: Path | None,
    execution: Execution,
    *,
    fresh: bool,
) -> list[Record]:
    """The records of all photographs, see :func:`~.speech.compared`.

    Args:
        photographs: the photographs.
        explainers: the two networks with the names of their units.
        out: folder for the journal, from which the same comparison is resumed; ``None`` keeps none.
        execution: how the work is run; only batch size and progress count.
        fresh: start over.

    Raises:
        CheckpointError: if the folder holds another comparison.
        PhotographError: if a file is not a photograph.
    """
    total, size = len(photographs.paths), execution.batch_size
    heading = {
        "networks": [explainer.network.whole_fingerprint for explainer in explainers],
        "layers": [explainer.network.layer.name for explainer in explainers],
        "preprocessing": [explainer.network.preprocessing.canonical for explainer in explainers],
        "names": [_names_digest(explainer) for explainer in explainers],
        "rules": [asdict(explainer.rules) for explainer in explainers],
        "arithmetic": f"{[explainer.network.precision for explainer in explainers]}, torch {torch.__version__}",
        "photographs": photographs.fingerprint(),
        "images": total,
        "batch size": size,
    }
    with ExitStack() as stack:
        folder = out if out is not None else Path(stack.enter_context(TemporaryDirectory()))
        journal = stack.enter_context(open_journal(folder / JOURNAL, heading, batch_size=size, fresh=fresh))
        for start in range(len(journal.records), total, size):
            images = range(start, min(start + size, total))
            journal.add(images, _records(photographs, images, explainers))
            journal.save()
            execution.report("explaining with both networks", images.stop, total)
        return journal.records


def explain_again(
    photographs: PhotographFolder, indices: Sequence[int], explainers: tuple[Explainer, Explainer]
) -> list[tuple[Explanation, Explanation]]:
    """The explanations of some photographs by both networks."""
    pairs = [(photographs.name(index), photographs.paths[index]) for index in indices]
    return list(zip(*(explainer.explain(pairs) for explainer in explainers), strict=True))


def _records(photographs: PhotographFolder, images: range, explainers: tuple[Explainer, Explainer]) -> list[Record]:
    sides = [list(explainer.explain([photographs.paths[index] for index in images])) for explainer in explainers]
    return [
        {
            "image": photographs.name(index),
            "true": photographs.folder_class(index),
            "right": [
                _is_right(photographs.folder_class(index), explanation, explainer)
                for explanation, explainer in zip(explanations, explainers, strict=True)
            ],
            "first": side_record(explanations[0]),
            "second": side_record(explanations[1]),
        }
        for index, explanations in zip(images, zip(*sides, strict=True), strict=True)
    ]


def _is_right(folder: str, explanation: Explanation, explainer: Explainer) -> bool | None:
    """Whether the prediction is the class that a folder is named after; ``None`` if the network has no such class."""
    if not folder:
        return None
    try:
        return find_class(explainer.network.classes, folder) == explanation.prediction.index
    except ClassNotFoundError:
        return None


def _names_digest(explainer: Explainer) -> str:
    """What tells the names of units, and their evidence, from others."""
    return hashlib.sha256(repr(list(explainer.units)).encode()).hexdigest()
