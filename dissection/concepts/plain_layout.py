"""The plainest layout people have: a photograph, a mask of the same size, and a list of what the numbers mean.

::

    images/*.jpg    photographs (also png, webp, ...)
    masks/*.png     index masks named like the photographs: palette or grey of 8 or 16 bits, value = number, 0 = none
    concepts.csv    number,name,category
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dissection.errors import PhotographError
from dissection.files.paths import readable
from dissection.images.photographs import ENDINGS, photograph_size
from dissection.vocabulary import Concept, Labels

from .csv_tables import LARGEST, read_table, refuse_empty, warn_of_twin
from .folders import Folder
from .label_maps import bad_image, check_numbers, check_size, read_index_mask, read_photograph, shrink
from .problems import BadFileError, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jaxtyping import Int32
    from PIL import Image

    from .csv_tables import CsvRow
    from .problems import ProblemReport

LABEL_SIZE = 112
"""Height and width of the label maps, as in Broden."""

_CATEGORY = re.compile(r"[\w -]+")
_USUAL_CATEGORIES = {"object", "part", "scene", "material", "texture", "color", "colour", "group"}
_LITTER = {"thumbs.db", "desktop.ini"}


class PlainLayout(Folder):
    """A folder in the plain layout, as a ``ConceptDataset`` in the order of the file names.

    Photographs keep their size; masks are resized to ``label_size`` by nearest neighbour at half-pixel centres.

    Args:
        root: the folder.
        label_size: height and width of the label maps.
        report: called with every problem of the folder.

    Raises:
        ConceptDataError: by default, for the first problem, such as a photograph without a mask.
    """

    def __init__(self, root: Path, *, label_size: int = LABEL_SIZE, report: ProblemReport = stop) -> None:
        concepts, self._mentioned = _read_concepts(root / "concepts.csv", report)
        super().__init__(root, concepts)
        self._label_size = label_size
        self._pairs = list(_pairs(root, report))

    def __len__(self) -> int:
        return len(self._pairs)

    def image_name(self, index: int) -> str:
        """The photograph's file name."""
        return readable(self._pairs[index][0].name)

    def photograph(self, index: int) -> Image.Image:
        """The photograph at its own size."""
        return read_photograph(self._pairs[index][0])

    def labels(self, index: int) -> Labels:
        """The mask as one label map of ``label_size``; it must be of the photograph's size, with named numbers only."""
        return self.read_labels(index, stop)

    def read_labels(self, index: int, report: ProblemReport) -> Labels:
        """The labels; problems with them are reported."""
        try:
            maps = shrink(self._read_mask(index), self._label_size, self._label_size)[None]
        except BadFileError as error:
            report(error)
            maps = np.zeros((0, self._label_size, self._label_size), np.int32)
        return Labels(maps)

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the mask."""
        return self._pairs[index]

    def fingerprint_extra(self, index: int) -> str:
        """What the labels depend on besides the files' contents, for a fingerprint."""
        return f"{self._pairs[index][1].name} at {self._label_size}"

    def _read_mask(self, index: int) -> Int32[np.ndarray, "h w"]:
        photograph, mask = self._pairs[index]
        numbers = read_index_mask(mask)
        try:
            width, height = photograph_size(photograph)
        except PhotographError as error:
            raise bad_image(photograph, error) from error
        check_size(mask, numbers.shape, (height, width), f"its photograph {photograph.name} has")
        check_numbers(mask, numbers, self._mentioned, "concepts.csv")
        return numbers


def _read_concepts(file: Path, report: ProblemReport) -> tuple[dict[int, Concept], set[int]]:
    """The concepts by number, ascending, and every number that is mentioned, even on refused lines."""
    mentioned: set[int] = set()

    def parse(row: CsvRow) -> Concept:
        number = row.integer("number", most=LARGEST)
        if number in mentioned:
            raise row.bad(f"number {number} appears twice; each concept needs its own")
        mentioned.add(number)
        category = row.text("category").lower()
        if not _CATEGORY.fullmatch(category):
            raise row.bad(f"category is {category!r}; a word like object or part is needed")
        return Concept(number, row.text("name"), category)

    concepts: dict[int, Concept] = {}
    for concept in read_table(file, ("number", "name", "category"), parse, report):
        warn_of_twin(file, concept, concepts, report)
        concepts[concept.number] = concept
    refuse_empty(file, mentioned, report)
    if _seem_swapped(list(concepts.values())):
        message = "name and category seem to be swapped; a name like dog and a category like object are usual"
        report(BadFileError(file, message, "warning"))
    return dict(sorted(concepts.items())), mentioned


def _seem_swapped(concepts: Sequence[Concept]) -> bool:
    """Whether names look like categories: a few words that repeat, while no category does, or the usual words."""
    names = {concept.name.lower() for concept in concepts}
    categories = {concept.category for concept in concepts}
    usual = bool(names & _USUAL_CATEGORIES) and not categories & _USUAL_CATEGORIES
    return usual or len(names) < len(categories)


def _pairs(root: Path, report: ProblemReport) -> Iterator[tuple[Path, Path]]:
    """Photographs with their masks, by name; files without a partner are reported."""
    photographs = _by_stem(root / "images", ENDINGS, report)
    masks = _by_stem(root / "masks", (".png",), report)
    for stem, photograph in photographs.items():
        if stem in masks:
            yield photograph, masks[stem]
        else:
            report(BadFileError(photograph, f"it has no mask; masks/{stem}.png is needed"))
    for stem, mask in masks.items():
        if stem not in photographs:
            report(BadFileError(mask, f"it has no photograph; images/{stem}.jpg (or .png, .webp, ...) is needed"))


def _by_stem(folder: Path, suffixes: Sequence[str], report: ProblemReport) -> dict[str, Path]:
    if not folder.is_dir():
        report(BadFileError(folder, "there is no such folder; make it, and put the files there"))
        return {}
    files: dict[str, Path] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.startswith(".") or file.name.lower() in _LITTER:  # what file managers leave behind
            continue
        if not file.is_file() or file.suffix.lower() not in suffixes:
            report(
                BadFileError(file, f"this is not one of the files expected here ({', '.join(suffixes)}); move it away")
            )
        elif file.stem in files:
            report(BadFileError(file, f"{files[file.stem].name} has the same name; rename one, and its mask"))
        else:
            files[file.stem] = file
    return files
