"""COCO-Stuff's pixel maps (Caesar et al. 2018): things and stuff in one PNG.

::

    labels.txt                     a line "1: person" for each category, 0 = unlabeled
    annotations/<split>/*.png      category minus 1, 255 = unlabeled; also stuffthingmaps*/<split>/
    images/<split>/*.jpg           photographs; also <split>/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.folders import Folder
from dissection.concepts.formats.shared.coco_words import CocoCategory, coco_words
from dissection.concepts.formats.shared.photograph_folder import read_lines
from dissection.concepts.label_maps import check_numbers, read_index_mask, read_photograph_of, shrink
from dissection.concepts.problems import BadFileError
from dissection.files.paths import readable
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL import Image


_LINE = re.compile(r"(\d{1,3})\s*:\s*(.+)")
_UNLABELED = 255
_NEVER = {
    "blender", "desk", "door", "eye glasses", "hair brush", "hat", "mirror", "plate", "shoe", "street sign", "window",
}  # fmt: skip
"""Things in the list that no map shows (README of COCO-Stuff); stuff like ``door-stuff`` can have their names."""


class CocoStuffMaps(Folder):
    """The pixel maps of all splits present, as a ``ConceptDataset``.

    ``labels.txt`` has no supercategories, so there are no groups, and materials are objects.

    Raises:
        ConceptDataError: if the folder has another layout.
    """

    def __init__(self, src: Path, *, label_size: int) -> None:
        super().__init__(src, coco_words(_categories(src / "labels.txt")).concepts)
        self._label_size = label_size
        self._masks = sorted(src.glob("annotations/*/*.png")) or sorted(src.glob("stuffthingmaps*/*/*.png"))
        if not self._masks:
            raise BadFileError(src, "there are no annotations/<split>/*.png in it; COCO-Stuff's layout is needed")

    def __len__(self) -> int:
        return len(self._masks)

    def image_name(self, index: int) -> str:
        """The split and the photograph's file name."""
        mask = self._masks[index]
        return readable(f"{mask.parent.name}/{mask.stem}.jpg")

    def photograph(self, index: int) -> Image.Image:
        """The photograph; it must be of the size of its pixel map."""
        file, mask = self.files(index)
        height, width = read_index_mask(mask).shape
        return read_photograph_of(file, (height, width), f"its pixel map {mask.name} is")

    def labels(self, index: int) -> Labels:
        """The pixel map at the label size; every number in it must have a name."""
        mask = self._masks[index]
        stored = shrink(read_index_mask(mask), self._label_size, self._label_size)
        numbers = np.where(stored == _UNLABELED, 0, stored + 1)
        check_numbers(mask, numbers, self._concepts.keys(), "labels.txt")
        return Labels(numbers[None])

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the pixel map."""
        mask = self._masks[index]
        folder = self._root / mask.parent.name
        folder = folder if folder.is_dir() else self._root / "images" / mask.parent.name
        return folder / f"{mask.stem}.jpg", mask

    def fingerprint_extra(self, index: int) -> str:  # noqa: ARG002 -- one label size for all
        """What the labels depend on besides the files."""
        return f"at {self._label_size}"


def _categories(file: Path) -> list[CocoCategory]:
    entries = [_LINE.fullmatch(line) for line in read_lines(file)]
    if not all(entries):
        raise BadFileError(file, "it has a line that is not like '1: person'; correct it")
    numbers = [(int(entry[1]), entry[2]) for entry in entries if entry]
    categories = [CocoCategory(number, name, "") for number, name in numbers if number and name not in _NEVER]
    if not categories:
        raise BadFileError(file, "it names no category; at least one is needed")
    return categories
