"""A Hugging Face dataset with a column of photographs and one of index masks, from files on this machine.

A folder that ``save_to_disk`` wrote, or Arrow or Parquet files. The masks' values are named by ``id2label.json``
(``{"1": "wall, brick"}``) beside the data, or by a column that is a list of ``ClassLabel``. If value 0 has a proper
name, it is a concept like the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from datasets import ClassLabel, Image, LargeList, List

from dissection.concepts.csv_tables import LARGEST, is_number
from dissection.concepts.folders import Folder
from dissection.concepts.formats.shared.arrow_rows import folder_of, has_images_beside, open_rows
from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.photograph_folder import read_text
from dissection.concepts.label_maps import check_size, index_numbers
from dissection.concepts.problems import BadFileError
from dissection.errors import PhotographError
from dissection.files.paths import readable
from dissection.images.image_files import Encoded
from dissection.images.label_images import open_image
from dissection.images.photographs import open_photograph, photograph_size
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from datasets import Features
    from PIL.Image import Image as Picture

    from dissection.concepts.notes import Notes

PHOTOGRAPHS = ("image", "images", "img", "photo", "photograph", "picture", "pixel_values")
"""Usual names of a column of photographs."""

MASKS = (
    *("mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentation_mask"),
    *("semantic_segmentation", "seg", "seg_map", "segmentation_map", "label_map"),
)
"""Usual names of a column of masks."""

_NOTHING = {"background", "unlabeled", "unlabelled", "none", "void", "ignore", "nothing", "other"}
_IGNORED = 255


class HuggingFace(Folder):
    """Rows of photographs and masks, in their own order.

    Args:
        src: the folder or file.
        label_size: height and width of the label maps.
        photographs: name of the column of photographs; by default the one with a name in ``PHOTOGRAPHS``.
        masks: name of the column of masks; by default the one with a name in ``MASKS``.

    Raises:
        ConceptDataError: if there are no such columns, or no names for the masks' values.
    """

    def __init__(self, src: Path, *, label_size: int, photographs: str = "", masks: str = "") -> None:
        self._src = src
        self._label_size = label_size
        self._files, rows = open_rows(src)
        self._photographs = _column(src, rows.features, photographs, PHOTOGRAPHS)
        self._masks = _column(src, rows.features, masks, MASKS)
        if self._masks == self._photographs:
            raise BadFileError(src, f"column {self._masks!r} cannot be both photographs and masks; name two columns")
        self._table = _labels(src, rows.features)
        super().__init__(folder_of(src), self._table.concepts, self._table.synonyms)
        statements = (rows.info.homepage, rows.info.license, rows.info.citation)
        self._attribution = "\n\n".join(
            statement.strip() for statement in statements if statement and statement.strip()
        )
        columns = [self._photographs, self._masks]
        rows = rows.select_columns(columns)
        for column in columns:
            rows = rows.cast_column(column, Image(decode=False))
        self._rows = rows
        self._beside = [column for column in columns if has_images_beside(rows, column)]

    @property
    def name(self) -> str:
        """The folder's or file's name."""
        return readable(self._src.resolve().stem)

    @property
    def notes(self) -> Notes:
        """The dataset's homepage, licence and citation, and the files on licence and origin beside the data."""
        attribution = {"ATTRIBUTION.txt": f"{self._attribution}\n".encode()} if self._attribution else {}
        return {**attribution, **super().notes}

    def __len__(self) -> int:
        return len(self._rows)

    def image_name(self, index: int) -> str:
        """The number of the row."""
        return f"{index:08}.jpg"

    def photograph(self, index: int) -> Picture:
        """The photograph at its own size."""
        try:
            return open_photograph(self._encoded(index, self._photographs))
        except PhotographError as error:
            raise BadFileError(self._src, str(error)) from error

    def labels(self, index: int) -> Labels:
        """The mask as one map."""
        encoded = self._encoded(index, self._masks)
        file = self._src / encoded.name
        try:
            codes = index_numbers(file, open_image(encoded))
            width, height = photograph_size(self._encoded(index, self._photographs))
        except PhotographError as error:
            raise BadFileError(self._src, str(error)) from error
        check_size(file, codes.shape, (height, width), "the photograph in its row has")
        return Labels(self._table.label_map(file, codes, "object", self._label_size)[None])

    def files(self, index: int) -> Sequence[Path]:
        """The files that all rows are in, and those that hold this row's images, if they are not in the data."""
        beside = (self._file(index, column, self._rows[index][column] or {}) for column in self._beside)
        return [*self._files, *filter(None, beside)]

    def fingerprint_extra(self, index: int) -> str:
        """What the labels depend on besides the files' contents, for a fingerprint."""
        return json.dumps([index, self._photographs, self._masks, self._label_size])

    def _encoded(self, index: int, column: str) -> Encoded:
        """The bytes in a cell, or in the file that it names."""
        cell = self._rows[index][column] or {}
        name, data = f"row {index}, column {column}", cell.get("bytes")
        if file := self._file(index, column, cell):
            data = file.read_bytes()
        if data is None:
            raise BadFileError(self._src, f"{name} holds no image; put the images into the data, or leave the row out")
        return Encoded(name, data)

    def _file(self, index: int, column: str, cell: Mapping[str, Any]) -> Path | None:
        """The file that a cell without bytes names; it must be in the folder, since the data may come from anybody."""
        root, path = folder_of(self._src), cell.get("path")
        file: Path | None = (root / path).resolve() if path and cell.get("bytes") is None else None
        if file is None or not file.is_file():
            return None
        if not file.is_relative_to(root.resolve()):
            raise BadFileError(
                self._src,
                f"row {index}, column {column} leads out of the folder, to {path}; put the images into the data",
            )
        return file


def _column(src: Path, features: Features, requested: str, usual: Sequence[str]) -> str:
    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    matching: list[str] = [name for name in images if (name == requested if requested else name.lower() in usual)]
    if len(matching) != 1:
        names = repr(requested) if requested else f"{', '.join(usual[:4])}, ..."
        raise BadFileError(
            src, f"its columns of images are {', '.join(images) or 'none'}; exactly one called {names} is needed"
        )
    return matching[0]


def _labels(src: Path, features: Features) -> LabelTable:
    table = folder_of(src) / "id2label.json"
    names = _read_names(table) if table.exists() else _class_names(features)
    if not names:
        raise BadFileError(src, f"nothing says what the masks' values mean; write {table.name} beside the data")
    named = {code: name for code, name in names.items() if name.strip().lower() not in _NOTHING}
    ignored = {_IGNORED, *names} - {*named}
    return LabelTable(
        (Label("object", code, name) for code, name in sorted(named.items())), table.name, ignored=ignored
    )


def _read_names(table: Path) -> dict[int, str]:
    try:
        names = json.loads(read_text(table))
    except ValueError as error:
        raise BadFileError(table, f"it is not JSON ({error}); something like {{'1': 'wall'}} is needed") from error
    if not isinstance(names, dict):
        raise BadFileError(table, "it must hold something like {'1': 'wall'}")
    for code, name in names.items():
        if not is_number(code) or int(code) > LARGEST or not isinstance(name, str):
            raise BadFileError(table, f"{code!r} is {str(name)[:40]!r}; a number up to {LARGEST} and a name are needed")
    return {int(code): name for code, name in names.items()}


def _class_names(features: Features) -> dict[int, str]:
    """The names in the only list of class labels; a single class label is about the whole image."""
    lists = [feature.feature for feature in features.values() if isinstance(feature, List | LargeList)]
    labels = [feature for feature in lists if isinstance(feature, ClassLabel)]
    return dict(enumerate(labels[0].names)) if len(labels) == 1 else {}
