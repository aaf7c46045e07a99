"""Writes Broden's layout one image at a time: what every converter ends in.

The folder appears whole or not at all, and the same input gives the same bytes.
"""

from __future__ import annotations

import csv
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TextIO

import numpy as np

from dissection.errors import ConceptDataError

from .dataset import Labels
from .labels import write_label_map
from .surveys import areas
from .tables import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jaxtyping import Int32
    from PIL import Image

    from dissection.vocabulary import Concept

_QUALITY = 95


@dataclass(slots=True)
class _Support:
    """Images that carry a label, and the sum over them of the share of pixels that it covers."""

    images: int = 0
    coverage: float = 0.0

    def add(self, share: float) -> None:
        self.images += 1
        self.coverage += share


@dataclass(slots=True)
class _Counts:
    """Support by label number, over all categories and in each."""

    overall: dict[int, _Support] = field(default_factory=dict)
    within: dict[str, dict[int, _Support]] = field(default_factory=dict)


@contextmanager
def writing_broden(folder: Path, concepts: Iterable[Concept], *, label_size: tuple[int, int]) -> Iterator[BrodenWriter]:
    """A writer whose folder appears when the ``with`` block ends well, and not at all otherwise.

    Args:
        folder: what is written; it must not exist, or be empty.
        concepts: the vocabulary; categories are in the order in which they appear in it.
        label_size: height and width of all label maps.

    Raises:
        ConceptDataError: if the folder holds something, or cannot be written.
    """
    with _published(folder) as unfinished:
        with (unfinished / "index.csv").open("w", encoding="utf-8", newline="") as index:
            writer = BrodenWriter(unfinished, concepts, label_size, index)
            yield writer
        writer.finish()


class BrodenWriter:
    """Writes images and their labels into ``folder``, which is not in its place yet; made by ``writing_broden``."""

    def __init__(self, folder: Path, concepts: Iterable[Concept], label_size: tuple[int, int], index: TextIO) -> None:
        self.folder = folder
        self._concepts = {concept.number: concept for concept in sorted(concepts, key=lambda one: one.number)}
        self._categories = tuple(dict.fromkeys(concept.category for concept in self._concepts.values()))
        self._label_size = label_size
        self._index = csv.writer(index, lineterminator="\n")
        self._counts = _Counts(within={category: {} for category in self._categories})
        self._check_concepts()
        (folder / "images").mkdir()
        self._index.writerow(["image", "split", "ih", "iw", "sh", "sw", *self._categories])

    def add(
        self,
        name: str,
        photograph: Image.Image,
        labels: Mapping[str, Sequence[Int32[np.ndarray, "h w"] | int]],
        *,
        split: str = "train",
    ) -> None:
        """Write one image, as JPEG, and its labels: by category, dominant first, maps or numbers for the whole image.

        Raises:
            ConceptDataError: if the name is taken or leads out of the folder, or a label is not in the vocabulary.
            ValueError: if a map is not of the label size.
        """
        stem = self._stem(name)
        cells = [self._cell(stem, category, labels.get(category, ())) for category in self._categories]
        unknown = sorted(set(labels) - set(self._categories))
        if unknown:
            raise ConceptDataError(f"{name} is labelled in {', '.join(unknown)}; the vocabulary has no such category")
        photograph.convert("RGB").save(self._new(f"{stem}.jpg"), "JPEG", quality=_QUALITY)
        size = (photograph.height, photograph.width)
        self._index.writerow([f"{stem}.jpg", split, *size, *self._label_size, *cells])
        self._count(labels)

    def finish(self) -> None:
        """Write the tables that need all images to have been seen."""
        self._table(
            "label.csv",
            ["number", "name", "category", "frequency", "coverage", "syns"],
            (self._label_row(concept) for concept in self._concepts.values()),
        )
        columns = ["name", "first", "last", "count", "frequency"]
        self._table("category.csv", columns, (self._category_row(category) for category in self._categories))
        for category in self._categories:
            rows = ([code, *row] for code, row in enumerate(self._category_rows(category), start=1))
            self._table(f"c_{category}.csv", ["code", "number", "name", "frequency", "coverage"], rows)

    def _cell(self, stem: str, category: str, layers: Sequence[Int32[np.ndarray, "h w"] | int]) -> str:
        parts: list[str] = []
        for layer in layers:
            if isinstance(layer, np.ndarray):
                if layer.shape != self._label_size:
                    raise ValueError(f"a label map of shape {layer.shape} was given, {self._label_size} is wanted")
                self._check_numbers(stem, np.unique(layer).tolist())
                suffix = f"_{len(parts)}" if parts else ""
                path = f"{stem}_{category}{suffix}.png"
                write_label_map(self._new(path), layer)
                parts.append(path)
            else:
                self._check_numbers(stem, [layer])
                parts.append(str(layer))
        return ";".join(parts)

    def _count(self, labels: Mapping[str, Sequence[Int32[np.ndarray, "h w"] | int]]) -> None:
        every = [layer for layers in labels.values() for layer in layers]
        for number, share in self._shares(every):
            self._counts.overall.setdefault(number, _Support()).add(share)
        for category, layers in labels.items():
            for number, share in self._shares(layers):
                self._counts.within[category].setdefault(number, _Support()).add(share)

    def _shares(self, layers: Iterable[Int32[np.ndarray, "h w"] | int]) -> Iterator[tuple[int, float]]:
        maps = [layer for layer in layers if isinstance(layer, np.ndarray)]
        stack = np.stack(maps) if maps else np.zeros((0, *self._label_size), np.int32)
        whole = tuple(layer for layer in layers if not isinstance(layer, np.ndarray) and layer)
        pixels = self._label_size[0] * self._label_size[1]
        for number, area in areas(Labels(stack, whole)).items():
            yield number, area / pixels

    def _label_row(self, concept: Concept) -> list[object]:
        by_category = {
            category: within[concept.number].images
            for category, within in self._counts.within.items()
            if concept.number in within
        } or {concept.category: 0}
        most_first = sorted(by_category.items(), key=lambda item: -item[1])
        cell = ";".join(f"{category}({images})" for category, images in most_first)
        support = self._counts.overall.get(concept.number, _Support())
        return [concept.number, concept.name, cell, support.images, support.coverage, concept.name]

    def _category_rows(self, category: str) -> Iterator[tuple[int, str, int, float]]:
        """Number, name, images and coverage of every concept of the category, also of those it shares."""
        within = self._counts.within[category]
        for number, concept in self._concepts.items():
            if number in within or concept.category == category:
                support = within.get(number, _Support())
                yield number, concept.name, support.images, support.coverage

    def _category_row(self, category: str) -> list[object]:
        rows = list(self._category_rows(category))
        numbers = [row[0] for row in rows]
        return [category, min(numbers), max(numbers), len(rows), sum(row[2] for row in rows)]

    def _table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        with (self.folder / name).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(columns)
            table.writerows(rows)

    def _stem(self, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.name or set(name) & set(";\\\n\r"):
            raise ConceptDataError(f"image name {name!r} cannot be used; a path without '..', '\\' and ';' is wanted")
        return path.with_suffix("").as_posix()

    def _new(self, path: str) -> Path:
        file = self.folder / "images" / path
        if file.exists():
            raise ConceptDataError(f"images/{path} would be written twice; rename one of the images")
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _check_numbers(self, name: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number and number not in self._concepts:
                raise ConceptDataError(f"{name} carries label {number}, which is not in the vocabulary; name it there")

    def _check_concepts(self) -> None:
        for concept in self._concepts.values():
            if not 1 <= concept.number <= LARGEST:
                raise ConceptDataError(f"{concept.name} has number {concept.number}; from 1 to {LARGEST} is wanted")
        for category in self._categories:
            if not category or category != category.strip().lower() or set(category) & set("/\\;()\n\r"):
                raise ConceptDataError(f"category {category!r} cannot be used; a word in lower case is wanted")


@contextmanager
def _published(folder: Path) -> Iterator[Path]:
    """A folder to write into, beside ``folder``, which takes its place at the end; removed when anything fails."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConceptDataError(f"{folder} exists and is not empty; name a new folder or empty it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            unfinished = Path(beside) / "data"
            unfinished.mkdir()
            yield unfinished
            if folder.exists():
                folder.rmdir()
            unfinished.rename(folder)
    except OSError as error:
        raise ConceptDataError(f"{folder} cannot be written ({error.strerror or error}); nothing was kept") from error
