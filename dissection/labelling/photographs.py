"""A folder of photographs, with the labels that a model gave them, as concept data."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from dissection.concepts.folders import Folder
from dissection.concepts.label_maps import read_photograph
from dissection.concepts.model_labels import MODEL_LABELS
from dissection.errors import ConceptDataError
from dissection.files.paths import readable
from dissection.images.photographs import photographs_in
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import Image

    from dissection.concepts.model_labels import ModelLabels
    from dissection.concepts.notes import Notes

    from .label_file import LabelFile
    from .segmenter import Segmenter

_UNUSABLE = set(";\\\n\r")


class LabelledPhotographs(Folder):
    """Every photograph in a folder and its subfolders, in the order of their names, as a ``ConceptDataset``.

    Args:
        root: the folder.
        segmenter: what labels them.
        label_size: height and width of the label maps.

    Raises:
        ConceptDataError: if there are no photographs, or two would have the same name in converted data.
    """

    def __init__(self, root: Path, segmenter: Segmenter, label_size: int) -> None:
        super().__init__(root, segmenter.words.concepts, segmenter.words.synonyms)
        self._photographs = photographs_of(root)
        self._segmenter = segmenter
        self._label_size = label_size
        self._labels: LabelFile | None = None
        self._note: ModelLabels | None = None

    def take(self, labels: LabelFile, note: ModelLabels) -> None:
        """Take the labels of all photographs, and what is noted of them."""
        self._labels, self._note = labels, note

    @property
    def notes(self) -> Notes:
        """The folder's notes, the note on the labels, and the licence of the model that made them."""
        if self._note is None:
            return super().notes
        models = ", ".join(f"{model.name} ({model.licence or 'no licence stated'})" for model in self._note.by)
        licence = f"The labels are a model's, not a person's: {models}.\n"
        return {**super().notes, "LICENSE-labels.txt": licence.encode(), MODEL_LABELS: self._note.to_json()}

    def __len__(self) -> int:
        return len(self._photographs)

    def image_name(self, index: int) -> str:
        """The photograph's path inside the folder."""
        return readable(self._photographs[index].relative_to(self._root).as_posix())

    def photograph(self, index: int) -> Image.Image:
        """The photograph, upright, at its own size."""
        return read_photograph(self._photographs[index])

    def labels(self, index: int) -> Labels:
        """The labels that were taken."""
        assert self._labels is not None
        return Labels(self._labels.read(index))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph."""
        return self._photographs[index : index + 1]

    def fingerprint_extra(self, index: int) -> str:  # noqa: ARG002 -- the same for all
        """What the labels depend on besides the photograph."""
        weights = [model.weights for model in self._segmenter.by]
        numbers = self._segmenter.words.numbers.tolist()
        return json.dumps([weights, numbers, self._segmenter.min_confidence, self._label_size])


def photographs_of(root: Path) -> list[Path]:
    """The photographs in a folder and its subfolders.

    Raises:
        ConceptDataError: if there is no such folder, it holds none, or a name cannot be used in converted data.
    """
    if not root.is_dir():
        raise ConceptDataError(f"{root} is not a folder; give one with photographs")
    photographs = [path for path in photographs_in(root) if path.is_file() and not _is_hidden(path, root)]
    if not photographs:
        raise ConceptDataError(f"{root} holds no photographs (.jpg, .png, .webp, ...); at least one is needed")
    stems: dict[str, Path] = {}
    for path in photographs:
        name = path.relative_to(root).as_posix()
        if set(name) & _UNUSABLE:
            raise ConceptDataError(f"image name {readable(name)!r} cannot be used; rename it without ; and \\")
        stem = PurePosixPath(name).with_suffix("").as_posix().casefold()
        if stem in stems:
            raise ConceptDataError(f"{stems[stem]} and {path} have the same name without their endings; rename one")
        stems[stem] = path
    return photographs


def _is_hidden(path: Path, root: Path) -> bool:
    """Whether a file or a folder on its way is hidden, as unfinished work and what file managers leave is."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)
