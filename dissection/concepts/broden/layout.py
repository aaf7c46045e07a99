"""Broden's layout on disk (Bau et al. 2017): photographs with several label maps or whole-image labels per category.

::

    images/...      photographs, and label maps as PNG: number = R + 256 G
    index.csv       image,split,ih,iw,sh,sw,<a column per category: numbers and label maps, separated by ;>
    label.csv       number,name,category,frequency,coverage,syns
    category.csv    name,first,last,count,frequency
    c_object.csv    code,number,name,frequency,coverage        (one per category, optional here)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.csv_tables import header, is_number, read_table
from dissection.concepts.folders import Folder
from dissection.concepts.label_maps import check_numbers, check_size, named_numbers, read_label_map, read_photograph
from dissection.concepts.problems import BadFileError, stop
from dissection.files.paths import leads_out
from dissection.vocabulary import Labels

from .concept_table import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Int32
    from PIL import Image

    from dissection.concepts.csv_tables import CsvRow
    from dissection.concepts.problems import ProblemReport

_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")


@dataclass(frozen=True, slots=True)
class _Record:
    """A line of ``index.csv``: the photograph, its (height, width), that of its label maps, and its labels."""

    image: str
    size: tuple[int, int]
    label_size: tuple[int, int]
    maps: tuple[str, ...]
    whole: tuple[int, ...]


class BrodenLayout(Folder):
    """A folder in Broden's layout, as a ``ConceptDataset``.

    Args:
        root: the folder.
        report: called with every problem of the tables.

    Raises:
        ConceptDataError: by default, for the first problem.
    """

    def __init__(self, root: Path, *, report: ProblemReport = stop) -> None:
        self._vocabulary = read_vocabulary(root, report)
        super().__init__(root, self._vocabulary.concepts, self._vocabulary.synonyms)
        self._images = root / "images"
        self._named = named_numbers(self._vocabulary.mentioned)
        self._records = self._read_index(report)

    @property
    def categories(self) -> Sequence[str]:
        """The categories in the order of ``category.csv``."""
        return self._vocabulary.categories

    @property
    def frequency(self) -> Mapping[int, float]:
        """Images that carry a concept, as ``label.csv`` says, by label number."""
        return self._vocabulary.frequency

    def __len__(self) -> int:
        return len(self._records)

    def image_name(self, index: int) -> str:
        """The photograph's path inside ``images/``."""
        return self._records[index].image

    def photograph(self, index: int) -> Image.Image:
        """The photograph; its size must be what ``index.csv`` says."""
        record = self._records[index]
        file = self._images / record.image
        photograph = read_photograph(file)
        check_size(file, (photograph.height, photograph.width), record.size, "ih and iw in index.csv say")
        return photograph

    def labels(self, index: int) -> Labels:
        """The labels; every number must have a name, and every map the size that ``index.csv`` says."""
        return self.read_labels(index, stop)

    def read_labels(self, index: int, report: ProblemReport) -> Labels:
        """The labels; bad ones are reported and left out."""
        record = self._records[index]
        maps = []
        for path in record.maps:
            try:
                maps.append(self._read_map(self._images / path, record))
            except BadFileError as error:
                report(error)
        empty = np.zeros((0, *record.label_size), np.int32)
        return Labels(np.stack(maps) if maps else empty, record.whole)

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the label maps."""
        record = self._records[index]
        return [self._images / path for path in (record.image, *record.maps)]

    def fingerprint_extra(self, index: int) -> str:
        """What the labels depend on besides the files' contents, for a fingerprint."""
        record = self._records[index]
        return json.dumps([record.label_size, record.whole])

    def _read_map(self, file: Path, record: _Record) -> Int32[np.ndarray, "h w"]:
        numbers, all_named = read_label_map(file, self._named)
        check_size(file, numbers.shape, record.label_size, "sh and sw in index.csv say")
        if not all_named:
            check_numbers(file, numbers, self._vocabulary.mentioned, "label.csv")
        return numbers

    def _read_index(self, report: ProblemReport) -> list[_Record]:
        file = self._root / "index.csv"
        names = header(file)
        for category in self.categories if names else ():
            if category not in names:
                report(BadFileError(file, f"category.csv names {category!r}, but no column has that name; add it"))
        categories = [category for category in self.categories if category in names]
        images: set[str] = set()

        def parse(row: CsvRow) -> _Record:
            record = self._record(row, categories)
            if record.image in images:
                raise row.bad(f"image {record.image!r} appears twice; remove one")
            images.add(record.image)
            return record

        return list(read_table(file, _COLUMNS, parse, report))

    def _record(self, row: CsvRow, categories: Sequence[str]) -> _Record:
        cells = [part.strip() for category in categories for part in row.cells[category].split(";")]
        parts = list(dict.fromkeys(part for part in cells if part))
        numbers = [int(part) for part in parts if is_number(part)]
        mentioned = self._vocabulary.mentioned
        for number in numbers:
            if mentioned and number and number not in mentioned:
                raise row.bad(f"label {number} was found, which label.csv does not name; name it there or use 0 (none)")
        return _Record(
            image=_inside(row, row.text("image")),
            size=(row.integer("ih"), row.integer("iw")),
            label_size=(row.integer("sh"), row.integer("sw")),
            maps=tuple(_inside(row, part) for part in parts if not is_number(part)),
            whole=tuple(dict.fromkeys(number for number in numbers if number)),
        )


def _inside(row: CsvRow, path: str) -> str:
    if leads_out(path):
        raise row.bad(f"{path!r} leads out of images/; a path relative to images/ is needed")
    return path
