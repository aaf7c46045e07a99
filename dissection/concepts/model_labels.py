"""The note on labels that a model made: which model, and what its labels are worth where they were checked.

It is a JSON file beside the data, ``model-labels.json``; in joined data, one for each part. Whoever names units after
such data says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dissection.plain_text import visible

from .notes import notes_of
from .problems import BadFileError

if TYPE_CHECKING:
    from .dataset import ConceptDataset

MODEL_LABELS = "model-labels.json"

_FILES = re.compile(r"model-labels(?:-(?P<part>.+))?\.json", re.IGNORECASE)
_LONGEST = 80


class LabellingModel(msgspec.Struct, frozen=True):
    """A model that labels, or that cuts out what another one found.

    Attributes:
        name: its name for people.
        model: what opens it: a repository, a published name, or a factory.
        weights: sha256 of its parameters and buffers.
        licence: what its source says of its licence; empty if nothing.
    """

    name: str
    model: str
    weights: str
    licence: str = ""


class ConceptCheck(msgspec.Struct, frozen=True):
    """How the model's masks of one concept agree with true ones, in pixels of the label maps.

    Attributes:
        name: the concept.
        iou: intersection over union.
        precision: share of the model's pixels that are right; ``None`` where it labels none.
        recall: share of the true pixels that it finds; ``None`` where there are none.
        pixels: true pixels.
    """

    name: str
    iou: float
    precision: float | None
    recall: float | None
    pixels: int


class LabelCheck(msgspec.Struct, frozen=True):
    """A comparison with true labels.

    Attributes:
        against: the name of the true data.
        images: photographs that were compared.
        mean_iou: the mean over the concepts.
        concepts: those that both know and that either shows, by name.
    """

    against: str
    images: int
    mean_iou: float
    concepts: tuple[ConceptCheck, ...]


class ModelLabels(msgspec.Struct, frozen=True):
    """The note.

    Attributes:
        by: the model, and the one that makes masks of its boxes, if there is one.
        software: versions of the packages that ran them, by name.
        min_confidence: pixels of less were left without a label.
        checked: how the labels compare with true ones; ``None`` where nobody compared them.
    """

    by: tuple[LabellingModel, ...]
    software: dict[str, str]
    min_confidence: float
    checked: LabelCheck | None = None

    @property
    def described(self) -> str:
        """The note in a few words: ``labels by segformer-b0, checked: IoU .71``."""
        models = " and ".join(visible(" ".join(model.name.split()))[:_LONGEST] for model in self.by)
        worth = "not checked" if self.checked is None else f"checked: IoU {_fraction(self.checked.mean_iou)}"
        return f"labels by {models}, {worth}"

    def to_json(self) -> bytes:
        """The note as the content of its file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def read_model_labels(content: bytes, file: Path) -> ModelLabels:
    """The note in a file.

    Raises:
        BadFileError: if it is no such note.
    """
    try:
        return msgspec.json.decode(content, type=ModelLabels)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadFileError(
            file, f"it is not a note on a model's labels ({reason}); label the photographs anew"
        ) from error


def model_labels_of(dataset: ConceptDataset) -> str:
    """What a dataset's notes say of labels that models made, in a few words; empty if people made them.

    Raises:
        ConceptDataError: if such a note is damaged.
    """
    said = []
    for name, content in notes_of(dataset).items():
        if match := _FILES.fullmatch(name):
            described = read_model_labels(content, Path(name)).described
            said.append(
                described.replace("labels", f"labels of {visible(match['part'])}", 1) if match["part"] else described
            )
    return "; ".join(said)


def name_with_labels(dataset: ConceptDataset) -> str:
    """A dataset's name for people, with what is to be said of labels that models made.

    Raises:
        ConceptDataError: if the note on them is damaged.
    """
    said = model_labels_of(dataset)
    return f"{dataset.name} ({said})" if said else dataset.name


def _fraction(value: float) -> str:
    """A share with two decimals.

    >>> _fraction(0.714), _fraction(1.0)
    ('.71', '1.00')
    """
    return f"{value:.2f}".removeprefix("0")
