"""The common part of COCO's annotations as concept data: photographs, words, and groups laid over categories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.folders import Folder
from dissection.concepts.label_maps import read_photograph_of
from dissection.vocabulary import Labels

from .coco_files import coco_licences
from .coco_words import coco_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Int32
    from PIL import Image

    from dissection.concepts.notes import Notes

    from .coco_files import CocoFile, CocoImage


class Coco(Folder):
    """Annotations of one or more splits as a ``ConceptDataset``; subclasses make the label maps.

    Labels have COCO's numbers, or those plus 1 (``_offset``) if the categories count from 0, which means "no label".

    Args:
        root: COCO's folder, with ``annotations`` in it.
        files: the annotations; all have the same categories.
        label_size: height and width of the label maps.
    """

    def __init__(self, root: Path, files: Sequence[CocoFile], label_size: int) -> None:
        for file in files:
            if file.categories != files[0].categories:
                raise file.bad_content(
                    f"its categories differ from those of {files[0].file.name}; convert one of them at a time"
                )
        self._offset = int(files[0].categories[0].number == 0)
        words = coco_words(
            [replace(category, number=category.number + self._offset) for category in files[0].categories]
        )
        super().__init__(root, words.concepts)
        self._files = files
        self._label_size = label_size
        self._group = np.zeros(max(words.concepts) + 1, np.int32)
        for number, group in words.groups.items():
            self._group[number] = group
        self._images: list[tuple[CocoFile, CocoImage]] = [
            (file, image) for file in files for image in self._annotated(file)
        ]

    @property
    def notes(self) -> Notes:
        """What the annotations say about their origin and the photographs' licences."""
        return {**super().notes, "LICENSE-coco.txt": coco_licences(self._files).encode()}

    def __len__(self) -> int:
        return len(self._images)

    def image_name(self, index: int) -> str:
        """The photograph's path, starting with its split."""
        return self._images[index][1].name

    def photograph(self, index: int) -> Image.Image:
        """The photograph; it must be of the size that the annotations say."""
        file, image = self._images[index]
        return read_photograph_of(image.file, image.size, f"{file.file.name} says")

    def labels(self, index: int) -> Labels:
        """Layers of categories, and one more with the groups for each layer that has any."""
        layers = self._layers(*self._images[index])
        groups = self._group[layers]
        return Labels(np.concatenate([layers, groups[groups.any((1, 2))]]))

    def _annotated(self, file: CocoFile) -> Sequence[CocoImage]:
        """The images of a file that are labelled."""
        raise NotImplementedError

    def _layers(self, file: CocoFile, image: CocoImage) -> Int32[np.ndarray, "layers size size"]:
        """Label maps of categories, of ``label_size``; a category's label is its number plus ``_offset``."""
        raise NotImplementedError
