"""Makes a study: looks at images in a seeded order until enough qualify, and writes questions, pictures and answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dissection.errors import ConceptDataError
from dissection.execution.settings import Execution
from dissection.files.written_files import checksum
from neuronexplain.evaluation.record_journal import open_journal
from neuronexplain.pictures.overlay import save_picture

from .folder import FORMAT, MAKING, claim, secret_name, write_study
from .questions import RATINGS, SENTENCE, Question, Solution, Stimulus
from .study import PICTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Ground
    from neuronexplain.evaluation.record_journal import Record, RecordJournal

    from .designs import Design, Draft
    from .stimuli import Subject
    from .study import Study


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of everything.

    Attributes:
        images: how many images become questions.
        ratings: how many ratings each question gets.
        per_rater: how many questions a rater is asked at most.
        seed: of the choice of images, and of how questions are dealt.
    """

    images: int
    ratings: int = RATINGS
    per_rater: int = 75
    seed: int = 0


def make_study(
    design: Design, ground: Ground, out: Path, extent: Extent, *, execution: Execution | None = None
) -> Study:
    """Make a study in a folder, or finish one that an earlier process began.

    Args:
        design: what is asked.
        ground: the images and what is in them.
        out: the folder, see :mod:`.folder`.
        extent: how much of everything.
        execution: only progress counts.

    Raises:
        CheckpointError: if the folder holds another study.
        ConceptDataError: if fewer images qualify.
        OutputError: if the folder holds anything else, or cannot be written.
    """
    execution = execution or Execution()
    heading = _heading(design, ground, extent)
    secret = claim(out, heading)
    order = np.random.default_rng(extent.seed).permutation(len(ground)).tolist()
    with open_journal(out / MAKING, heading, batch_size=1) as journal:
        maker = _Maker(design, ground, out, secret, journal)
        maker.look(order, extent.images, execution)
        records = [record for record in journal.records if record["questions"]][: extent.images]
    if len(records) < extent.images:
        raise ConceptDataError(
            f"{len(records)} of {len(ground)} images of {ground.name} are images {design.condition}; --images "
            f"{extent.images} are to be asked about: use other images, or ask about fewer in another --out"
        )
    pairs = [_read(entry) for record in records for entry in record["questions"]]
    checksums = {path: written for record in records for path, written in record["written"].items()}
    return write_study(out, heading, pairs, checksums)


def _heading(design: Design, ground: Ground, extent: Extent) -> dict[str, Any]:
    """Everything that the questions depend on."""
    return {
        "format": FORMAT,
        "study": design.kind,
        "images": extent.images,
        "ratings": extent.ratings,
        "per rater": extent.per_rater,
        "seed": extent.seed,
        "data": hashlib.sha256(ground.identity().encode()).hexdigest(),
        "data name": ground.name,
        "visualisations": [*(method.name for method in design.methods), *([SENTENCE] if _has_words(design) else [])],
        "networks": [_described(subject) for subject in design.subjects],
        **design.settings,
    }


def _has_words(design: Design) -> bool:
    return all(subject.explainer is not None for subject in design.subjects)


def _described(subject: Subject) -> dict[str, Any]:
    network, explainer = subject.network, subject.explainer
    names = None
    if explainer is not None:
        spoken = repr((explainer.rules, sorted((unit, str(name)) for unit, name in explainer.names.items())))
        names = hashlib.sha256(spoken.encode()).hexdigest()
    return {
        "name": network.name,
        "fingerprint": network.fingerprint,
        "layer": network.layer.name,
        "classes": hashlib.sha256(repr(list(network.classes)).encode()).hexdigest(),
        "preprocessing": network.preprocessing.canonical,
        "arithmetic": f"{network.precision} on {network.device.type}, torch {torch.__version__}",
        "names": names,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Writes the record of each image, and its pictures."""

    design: Design
    ground: Ground
    out: Path
    secret: bytes
    journal: RecordJournal

    def look(self, order: Sequence[int], wanted: int, execution: Execution) -> None:
        """Look at images in this order, where an earlier process stopped, until enough are asked about."""
        qualified = sum(bool(record["questions"]) for record in self.journal.records)
        stage = "making questions"
        execution.report(stage, qualified, wanted)
        for index in order[len(self.journal.records) :]:
            if qualified >= wanted:
                return
            annotated = self.ground.annotated(index)
            record = self._record(annotated, self.design.drafts(annotated))
            self.journal.add(range(index, index + 1), [record])
            if record["questions"]:
                qualified += 1
                self.journal.save()
            execution.report(stage, qualified, wanted)

    def _record(self, annotated: AnnotatedImage, drafts: Sequence[Draft]) -> Record:
        written: dict[str, str] = {}
        return {
            "image": annotated.name,
            "questions": [self._entry(annotated.name, draft, written) for draft in drafts],
            "written": written,
        }

    def _entry(self, image: str, draft: Draft, written: dict[str, str]) -> dict[str, Any]:
        """A question and its solution, as JSON values; its pictures are written."""
        key = (image, draft.visualisation, draft.explained)
        stimuli = [
            self._stimulus(shown, secret_name(self.secret, "picture", *key, number), written)
            for number, shown in enumerate(draft.shown)
        ]
        position = draft.labels.index(draft.explained)
        if len(stimuli) == 2:  # which of them is of the first network, chance decides
            position = int(secret_name(self.secret, "order", *key), 16) % 2
            stimuli = stimuli[::-1] if position else stimuli
        return {
            "id": secret_name(self.secret, "question", *key),
            "labels": draft.labels,
            "stimuli": stimuli,
            "solution": [image, draft.visualisation, draft.explained, position],
        }

    def _stimulus(self, shown: object, name: str, written: dict[str, str]) -> Mapping[str, str]:
        if isinstance(shown, str):
            return {"picture": "", "text": shown}
        picture = f"{name}.png"
        path = f"{PICTURES}/{picture}"
        save_picture(shown, self.out / path)  # type: ignore[arg-type]
        written[path] = checksum((self.out / path).read_bytes())
        return {"picture": picture, "text": ""}


def _read(entry: Mapping[str, Any]) -> tuple[Question, Solution]:
    stimuli = tuple(Stimulus(**stimulus) for stimulus in entry["stimuli"])
    return Question(entry["id"], tuple(entry["labels"]), stimuli), Solution(*entry["solution"])
