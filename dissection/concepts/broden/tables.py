"""The tables of Broden's layout: ``index.csv``, ``label.csv``, ``category.csv`` and ``c_<category>.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dissection.concepts.support import Support

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dissection.concepts.support import CategoryTotal, Supports
    from dissection.vocabulary import Concept


@dataclass(frozen=True, slots=True)
class BrodenTables:
    """The contents of the tables. Coverage is the sum over images of the share of pixels covered.

    Attributes:
        concepts: by label number, ascending.
        categories: in the order of ``category.csv``.
        supports: how much of each concept has been written.
        cells: pixels of a label map.
        synonyms: other words for a concept, by label number.
    """

    concepts: Mapping[int, Concept]
    categories: Sequence[str]
    supports: Supports
    cells: int
    synonyms: Mapping[int, Sequence[str]]

    def write(self, folder: Path, index: Iterable[Sequence[object]]) -> None:
        """Write all tables; ``index`` holds the rows of ``index.csv``."""
        _write(folder / "index.csv", ["image", "split", "ih", "iw", "sh", "sw", *self.categories], index)
        columns = ["number", "name", "category", "frequency", "coverage", "syns"]
        _write(folder / "label.csv", columns, map(self._label_row, self.concepts.values()))
        columns = ["name", "first", "last", "count", "frequency"]
        _write(folder / "category.csv", columns, map(self._category_row, self.categories))
        for category in self.categories:
            rows = ([code, *row] for code, row in enumerate(self._members(category), start=1))
            _write(folder / f"c_{category}.csv", ["code", "number", "name", "frequency", "coverage"], rows)

    def of(self, listed: Collection[int]) -> BrodenTables:
        """Tables that list only some of the concepts."""
        return replace(
            self, concepts={number: concept for number, concept in self.concepts.items() if number in listed}
        )

    @property
    def totals(self) -> tuple[CategoryTotal, ...]:
        """What each category holds."""
        return self.supports.totals(
            {category: [row[0] for row in self._members(category)] for category in self.categories}
        )

    def _label_row(self, concept: Concept) -> list[object]:
        by_category = {
            category: within[concept.number].images
            for category, within in self.supports.within.items()
            if concept.number in within
        } or {concept.category: 0}
        most_first = sorted(by_category.items(), key=lambda item: -item[1])
        cell = ";".join(f"{category}({images})" for category, images in most_first)
        support = self.supports.of(concept.number)
        coverage = support.pixels / self.cells
        words = dict.fromkeys((concept.name, *self.synonyms.get(concept.number, ())))
        return [concept.number, concept.name, cell, support.images, coverage, ";".join(words)]

    def _category_row(self, category: str) -> list[object]:
        rows = list(self._members(category))
        numbers = [row[0] for row in rows]
        return [category, min(numbers), max(numbers), len(rows), sum(row[2] for row in rows)]

    def _members(self, category: str) -> Iterator[tuple[int, str, int, float]]:
        """Number, name, images and coverage of every concept of the category, including those it shares."""
        within = self.supports.within.get(category, {})
        for number, concept in self.concepts.items():
            if number in within or concept.category == category:
                support = within.get(number, Support())
                yield number, concept.name, support.images, support.pixels / self.cells


def _write(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)
