"""The words of a dataset in Broden's layout: ``label.csv``, ``category.csv`` and ``c_<category>.csv``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import LARGEST, read_table, refuse_empty, warn_of_twin
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dissection.concepts.csv_tables import CsvRow
    from dissection.concepts.problems import ProblemReport

_ENTRY = re.compile(r"(?P<category>[^();]+?)\s*(?:\((?P<count>[^()]*)\))?")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the labels mean.

    Attributes:
        concepts: by label number, ascending; the category is the primary one.
        categories: in the order of ``category.csv``.
        synonyms: other words for a concept, by label number.
        frequency: images that carry a concept, as ``label.csv`` says, by label number.
        mentioned: every number in ``label.csv``, even on refused lines; empty if it could not be read.
    """

    concepts: Mapping[int, Concept]
    categories: tuple[str, ...]
    synonyms: Mapping[int, tuple[str, ...]]
    frequency: Mapping[int, float]
    mentioned: frozenset[int]


def read_vocabulary(root: Path, report: ProblemReport) -> Vocabulary:
    """Read the words of the dataset in ``root``; bad lines are reported and left out."""
    categories = _categories(root / "category.csv", report)
    table = _LabelTable(categories, _coverages(root, categories, report))
    file = root / "label.csv"
    for concept in read_table(file, ("number", "name", "category"), table.parse, report):
        warn_of_twin(file, concept, table.concepts, report)
        table.concepts[concept.number] = concept
    refuse_empty(file, table.mentioned, report)
    return Vocabulary(
        concepts=dict(sorted(table.concepts.items())),
        categories=categories,
        synonyms=table.synonyms,
        frequency=table.frequency,
        mentioned=frozenset(table.mentioned),
    )


def _categories(file: Path, report: ProblemReport) -> tuple[str, ...]:
    names: dict[str, None] = {}

    def parse(row: CsvRow) -> None:
        name = row.text("name").lower()
        if name in names:
            raise row.bad(f"category {name!r} appears twice; remove one")
        names[name] = None

    for _ in read_table(file, ("name",), parse, report):
        pass
    refuse_empty(file, names, report)
    return tuple(names)


def _coverages(root: Path, categories: Sequence[str], report: ProblemReport) -> dict[str, dict[int, float]]:
    """Coverage by label number, for the categories that have a file."""

    def parse(row: CsvRow) -> tuple[int, float]:
        return row.integer("number", most=LARGEST), row.amount("coverage")

    files = {category: root / f"c_{category}.csv" for category in categories}
    return {
        category: dict(read_table(file, ("number", "coverage"), parse, report))
        for category, file in files.items()
        if file.exists()
    }


@dataclass(slots=True)
class _LabelTable:
    """Reads the lines of ``label.csv``."""

    categories: tuple[str, ...]
    coverages: Mapping[str, Mapping[int, float]]
    concepts: dict[int, Concept] = field(default_factory=dict)
    synonyms: dict[int, tuple[str, ...]] = field(default_factory=dict)
    frequency: dict[int, float] = field(default_factory=dict)
    mentioned: set[int] = field(default_factory=set)

    def parse(self, row: CsvRow) -> Concept:
        number = row.integer("number", most=LARGEST)
        if number in self.mentioned:
            raise row.bad(f"number {number} appears twice; each concept needs its own")
        self.mentioned.add(number)
        counts = self._counts(row)
        concept = Concept(number, row.text("name"), self._primary(number, counts))
        self.synonyms[number] = _words(row.cells.get("syns", ""))
        if row.cells.get("frequency"):
            self.frequency[number] = row.amount("frequency")
        return concept

    def _counts(self, row: CsvRow) -> dict[str, float]:
        """Images by category, from a cell like ``material(36);object(3)``."""
        counts: dict[str, float] = {}
        for text in _words(row.text("category")):
            entry = _ENTRY.fullmatch(text)
            try:
                counts[entry["category"].lower()] = float(entry["count"] or 0)  # type: ignore[index]
            except (TypeError, ValueError):
                raise row.bad(f"category reads {text!r}; something like object(36) is needed") from None
        for category in counts:
            if self.categories and category not in self.categories:
                known = ", ".join(self.categories)
                raise row.bad(f"category {category!r} is not in category.csv, which has {known}; add it there")
        return counts

    def _primary(self, number: int, counts: Mapping[str, float]) -> str:
        """The category with the largest coverage, ties to the later one in category.csv.

        Unless each of them has its ``c_<category>.csv``, coverages are not known and images are counted instead.
        """
        known = all(category in self.coverages for category in counts)
        weight = {category: self.coverages[category].get(number, 0.0) for category in counts} if known else counts
        order = {category: index for index, category in enumerate(self.categories)}
        return max(weight, key=lambda category: (weight[category], order.get(category, 0)))


def _words(cell: str) -> tuple[str, ...]:
    return tuple(word for word in map(str.strip, cell.split(";")) if word)
