"""Writes Broden's layout one image at a time, for every converter; the same input gives the same bytes.

After an image's files, a line about them, with their checksums, is written to a journal. If a writer is killed, the
next one resumes at the first image whose line or files are not as they were written; at the end the tables are made
from the journal.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

import numpy as np

from dissection.concepts.csv_tables import LARGEST
from dissection.concepts.label_maps import label_map
from dissection.concepts.support import Supports
from dissection.concepts.surveys import areas
from dissection.errors import ConceptDataError
from dissection.execution.journal import Journal
from dissection.files.paths import leads_out
from dissection.files.written_files import are_as_written, write_anew
from dissection.vocabulary import Labels

from .tables import BrodenTables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from jaxtyping import Int32
    from PIL import Image

    from dissection.concepts.support import Areas, CategoryTotal
    from dissection.vocabulary import Concept


@dataclass(frozen=True, slots=True)
class Encoding:
    """How image files are written.

    Attributes:
        ending: of the photographs' names.
        options: Pillow's options for writing a photograph.
        compress_level: zlib's level for label maps.
    """

    ending: str
    options: Mapping[str, Any]
    compress_level: int = 6


COMPACT = Encoding(".jpg", MappingProxyType({"format": "JPEG", "quality": 95}))
"""Photographs as JPEG, as in Broden."""

LOSSLESS = Encoding(".png", MappingProxyType({"format": "PNG", "compress_level": 1}), compress_level=1)
"""Photographs exact to the pixel, and everything written quickly."""


class BrodenWriter:
    """Writes images and their labels; a context manager, which closes its journal.

    Args:
        folder: the folder to write; it exists, and is empty or as a killed writer left it.
        concepts: the vocabulary; categories are in the order in which they appear in it.
        label_size: height and width of all label maps.
        journal: a file that lists what has been written; what it lists already is not written again, unless
            something has changed it since.
        synonyms: other words for a concept, by label number.
        encoding: how image files are written.
    """

    def __init__(
        self,
        folder: Path,
        concepts: Iterable[Concept],
        label_size: tuple[int, int],
        journal: Path,
        *,
        synonyms: Mapping[int, Sequence[str]] = MappingProxyType({}),
        encoding: Encoding = COMPACT,
    ) -> None:
        self.folder = folder
        self._encoding = encoding
        self._concepts = {concept.number: concept for concept in sorted(concepts, key=lambda concept: concept.number)}
        self._categories = tuple(dict.fromkeys(concept.category for concept in self._concepts.values()))
        self._label_size = label_size
        self._supports = Supports(self._categories)
        self._tables = BrodenTables(
            self._concepts, self._categories, self._supports, label_size[0] * label_size[1], synonyms
        )
        self._taken: set[str] = set()
        self._images = 0
        self._check_concepts()
        (folder / "images").mkdir(exist_ok=True)
        self._journal = Journal(journal)
        self._resume()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._journal.close()

    def __len__(self) -> int:
        """Images that have been written."""
        return self._images

    def add(
        self,
        name: str,
        photograph: Image.Image,
        labels: Mapping[str, Sequence[Int32[np.ndarray, "h w"] | int]],
        *,
        split: str = "train",
    ) -> None:
        """Write one image and its labels: by category, dominant first, maps or numbers for the whole image.

        Raises:
            ConceptDataError: if the name is taken or leads out of the folder, or a label is not in the vocabulary.
            ValueError: if a map is not of the label size.
        """
        stem = self._stem(name)
        unknown = sorted(set(labels) - set(self._categories))
        if unknown:
            raise ConceptDataError(
                f"{name} is labelled in {', '.join(unknown)}; add the category to the vocabulary, or leave "
                "the labels out"
            )
        written: dict[str, str] = {}
        cells = [self._cells(stem, category, labels.get(category, ()), written) for category in self._categories]
        name_of_photograph = f"{stem}{self._encoding.ending}"
        encoded = io.BytesIO()
        photograph.convert("RGB").save(encoded, **self._encoding.options)
        written[name_of_photograph] = self._write(name_of_photograph, encoded.getvalue())
        size = (photograph.height, photograph.width)
        all_layers = [layer for layers in labels.values() for layer in layers]
        entry = {
            "index": [name_of_photograph, split, *size, *self._label_size, *map(";".join, cells)],
            "written": written,
            "areas": _pairs(self._areas(all_layers)),
            "within": {category: _pairs(self._areas(layers)) for category, layers in labels.items()},
        }
        self._journal.append([entry])
        self._take_in(entry)

    def finish(self, listed: Collection[int] | None = None) -> None:
        """Write the tables, after all images have been added.

        Args:
            listed: label numbers of the concepts that they list; by default the whole vocabulary.
        """
        tables = self._tables if listed is None else self._tables.of(listed)
        tables.write(self.folder, (entry["index"] for entry in self._journal))

    @property
    def seen(self) -> Collection[int]:
        """Label numbers that are on an image so far."""
        return self._supports.overall.keys()

    @property
    def totals(self) -> tuple[CategoryTotal, ...]:
        """What each category holds so far."""
        return self._tables.totals

    def _resume(self) -> None:
        """Take in the images that are as they were written, up to the first that is not."""
        with suppress(ValueError):  # a line that is not as it was written, or of an earlier version
            for entry in self._journal:
                if not are_as_written(self.folder / "images", entry["written"]):
                    break
                self._take_in(entry)
        self._journal.cut(self._images)

    def _take_in(self, entry: Mapping[str, Any]) -> None:
        self._images += 1
        self._taken.update(path.casefold() for path in entry["written"])
        within = {category: dict(pairs) for category, pairs in entry["within"].items()}
        self._supports.add(dict(entry["areas"]), within)

    def _cells(
        self,
        stem: str,
        category: str,
        layers: Sequence[Int32[np.ndarray, "h w"] | int],
        written: dict[str, str],
    ) -> list[str]:
        """The entries of a cell of ``index.csv``; maps are written, and their checksums go into ``written``."""
        parts: list[str] = []
        for layer in layers:
            if isinstance(layer, np.ndarray):
                if layer.shape != self._label_size:
                    raise ValueError(f"a label map has shape {layer.shape}; {self._label_size} is needed")
                self._check_numbers(stem, np.unique(layer).tolist())
                suffix = f"_{len(parts)}" if parts else ""
                path = f"{stem}_{category}{suffix}.png"
                written[path] = self._write(path, label_map(layer, compress_level=self._encoding.compress_level))
                parts.append(path)
            else:
                self._check_numbers(stem, [layer])
                parts.append(str(layer))
        return parts

    def _areas(self, layers: Iterable[Int32[np.ndarray, "h w"] | int]) -> Areas:
        maps = [layer for layer in layers if isinstance(layer, np.ndarray)]
        stack = np.stack(maps) if maps else np.zeros((0, *self._label_size), np.int32)
        return areas(Labels(stack, tuple(layer for layer in layers if not isinstance(layer, np.ndarray) and layer)))

    def _stem(self, name: str) -> str:
        path = PurePosixPath(name)
        if leads_out(name) or not path.name or set(name) & set(";\\\n\r"):
            raise ConceptDataError(f"image name {name!r} cannot be used; a path without '..', '\\' and ';' is needed")
        return path.with_suffix("").as_posix()

    def _write(self, path: str, content: bytes) -> str:
        """Write a file in ``images``; returns its checksum."""
        if path.casefold() in self._taken:  # some file systems do not tell A from a
            raise ConceptDataError(f"images/{path} would be written twice; rename one of the images")
        return write_anew(self.folder / "images" / path, content)

    def _check_numbers(self, name: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number and number not in self._concepts:
                raise ConceptDataError(f"{name} carries label {number}, which is not in the vocabulary; name it there")

    def _check_concepts(self) -> None:
        for concept in self._concepts.values():
            if not 1 <= concept.number <= LARGEST:
                raise ConceptDataError(
                    f"{concept.name} has number {concept.number}; a number from 1 to {LARGEST} is needed"
                )
        for category in self._categories:
            if not category or category != category.strip().lower() or set(category) & set("/\\;()\n\r"):
                raise ConceptDataError(f"category {category!r} cannot be used; a word in lower case is needed")


def _pairs(areas_of_image: Areas) -> list[tuple[int, int]]:
    """The areas as JSON can hold them; its keys are text."""
    return list(areas_of_image.items())
