"""Labels a folder of photographs and writes them in Broden's layout; a killed run is resumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dissection.concepts.conversion import Sizes, convert_in, source_digest, unfinished
from dissection.concepts.model_labels import LabelCheck, ModelLabels
from dissection.execution.threads import in_threads
from dissection.files.atomic import refuse_taken
from dissection.files.read_files import ReadFiles

from .label_file import LabelFile
from .mask_quality import batches, check_masks
from .photographs import LabelledPhotographs

if TYPE_CHECKING:
    from os import PathLike

    from dissection.concepts.conversion import Summary
    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.problems import Counter
    from dissection.execution.settings import Progress

    from .segmenter import Segmenter

BATCH = 8
"""Photographs that a model labels at once."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was written, and what is noted of its labels."""

    summary: Summary
    note: ModelLabels


def label(
    photographs: str | PathLike[str],
    dst: str | PathLike[str],
    segmenter: Segmenter,
    *,
    sizes: Sizes = Sizes(),  # noqa: B008 -- frozen
    against: ConceptDataset | None = None,
    batch_size: int = BATCH,
    progress: Progress | None = None,
) -> Labelled:
    """Label every photograph in a folder and its subfolders, and write them in Broden's layout.

    Every photograph is decoded before the first is labelled, so that a bad one costs no hours. Each goes through the
    model once: its labels are kept in the unfinished folder until all are written. The same call resumes a killed one,
    to the same bytes; with another model, other settings or other photographs it starts anew.

    Args:
        photographs: the folder.
        dst: the folder to write; it must be missing or empty.
        segmenter: what labels them.
        sizes: sides of photographs and label maps, and on how many images a concept must be.
        against: true data, whose photographs the model labels too; how both agree is noted with the data.
        batch_size: photographs that the model labels at once.
        progress: called with the stage, the photographs done and all of them.

    Raises:
        ConceptDataError: if there are no photographs, one cannot be read or is changed meanwhile, no concept is on
            enough of them, or the true data cannot be compared.
        NetworkError: if the model gives no scores of its words.
        OutputError: if the folder is not empty or cannot be written.
        CheckpointError: if another process is writing the same folder.
    """
    target = Path(dst)
    refuse_taken(target)
    dataset = LabelledPhotographs(Path(photographs), segmenter, sizes.labels)
    with unfinished(dataset, target, sizes) as work:
        checked = None if against is None else _checked(work, segmenter, against, sizes.labels, batch_size, progress)
        labels = LabelFile(work / "labels")
        labels.cut(len(labels) if len(labels) >= len(dataset) else len(labels) // batch_size * batch_size)
        _look(dataset, len(labels), _stage(progress, "looking at the photographs"))
        for batch in batches(range(len(labels), len(dataset)), batch_size):
            labels.append(segmenter.label(list(in_threads(dataset.photograph, batch)), sizes.labels))
            _report(progress, "labelling", batch[-1] + 1, len(dataset))
        note = ModelLabels(segmenter.by, dict(segmenter.software), segmenter.min_confidence, checked)
        dataset.take(labels, note)
        return Labelled(convert_in(work, dataset, sizes, progress=_stage(progress, "converting")), note)


def _checked(
    work: Path,
    segmenter: Segmenter,
    truth: ConceptDataset,
    label_size: int,
    batch_size: int,
    progress: Progress | None,
) -> LabelCheck:
    """The comparison with true data, which is kept for a run that is resumed."""
    kept = work / f"check-{source_digest(truth, [label_size], ReadFiles())}.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=LabelCheck)
    counter = _stage(progress, "checking against true labels")
    check = check_masks(segmenter, truth, label_size=label_size, batch_size=batch_size, progress=counter)
    new = kept.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(check))
    new.replace(kept)
    return check


def _look(dataset: LabelledPhotographs, first: int, progress: Counter | None) -> None:
    """Decode the photographs that are not yet labelled."""
    remaining = range(first, len(dataset))
    for index, _ in zip(remaining, in_threads(lambda index: dataset.photograph(index).size, remaining), strict=True):
        if progress is not None:
            progress(index + 1, len(dataset))


def _stage(progress: Progress | None, stage: str) -> Counter | None:
    return None if progress is None else partial(progress, stage)


def _report(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(stage, done, total)
