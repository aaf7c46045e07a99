"""The CSV tables of a concept dataset: with or without a BOM, any line endings, columns found by name."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO, TypeVar

from .problems import BadFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from dissection.vocabulary import Concept

    from .problems import ProblemReport

Value = TypeVar("Value")

LARGEST = 0xFFFF
"""The largest label number: label maps have two bytes for it."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of a table; the cells are stripped, columns are in lower case."""

    file: Path
    line: int
    cells: Mapping[str, str]

    def bad(self, what: str) -> BadFileError:
        """The error that names this line."""
        return BadFileError(self.file, f"line {self.line}: {what}")

    def text(self, column: str) -> str:
        """A cell that must not be empty."""
        if not self.cells[column]:
            raise self.bad(f"{column} is empty; fill it in")
        return self.cells[column]

    def integer(self, column: str, *, most: int | None = None) -> int:
        """A cell that holds a whole number from 1."""
        text = self.cells[column]
        number = int(text) if is_number(text) else 0
        if number < 1 or (most is not None and number > most):
            expected = "a whole number from 1" + ("" if most is None else f" to {most}")
            raise self.bad(f"{column} is {text!r}; {expected} is needed")
        return number

    def amount(self, column: str) -> float:
        """A cell that holds a number from 0, perhaps written as ``5e-05``."""
        try:
            amount = float(self.cells[column])
        except ValueError:
            amount = math.nan
        if not 0 <= amount < math.inf:
            raise self.bad(f"{column} is {self.cells[column]!r}; a number from 0 is needed")
        return amount


def is_number(text: str) -> bool:
    """Whether a cell is a whole number of fewer than ten digits."""
    return text.isascii() and text.isdigit() and len(text) < 10


def read_table(
    file: Path, columns: Sequence[str], parse: Callable[[CsvRow], Value], report: ProblemReport
) -> Iterator[Value]:
    """What ``parse`` makes of each line; a line that it refuses with a ``BadFileError`` is reported and left out."""
    for row in _rows(file, columns, report):
        try:
            value = parse(row)
        except BadFileError as error:
            report(error)
        else:
            yield value


def header(file: Path) -> list[str]:
    """The names of a table's columns; none if there is no such file, or it is no table, which reading its rows tells.

    Raises:
        BadFileError: if the file cannot be read. The next attempt might succeed, and a column would be missing.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return _names(next(csv.reader(stream, strict=True), []))
    except (FileNotFoundError, UnicodeError, csv.Error):
        return []
    except OSError as error:
        raise _unreadable(file, error) from error


def refuse_empty(file: Path, values: Collection[object], report: ProblemReport) -> None:
    """Report a table that exists but has no lines."""
    if not values and header(file):
        report(BadFileError(file, "it has no lines that can be used; at least one is needed"))


def warn_of_twin(file: Path, concept: Concept, others: Mapping[int, Concept], report: ProblemReport) -> None:
    """Warn if a concept has the name and category of another."""
    for twin in others.values():
        if (twin.name, twin.category) == (concept.name, concept.category):
            message = f"{concept.category} {concept.name!r} is both {twin.number} and {concept.number}; use one number"
            report(BadFileError(file, message, "warning"))


def _names(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower() for cell in cells]


def _rows(file: Path, columns: Sequence[str], report: ProblemReport) -> Iterator[CsvRow]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            yield from _parse(file, stream, columns, report)
    except FileNotFoundError:
        report(BadFileError(file, f"there is no such file; a table with the columns {', '.join(columns)} is needed"))
    except OSError as error:
        report(_unreadable(file, error))
    except UnicodeError:
        report(BadFileError(file, "it is not UTF-8 text; save it as UTF-8"))


def _unreadable(file: Path, error: OSError) -> BadFileError:
    return BadFileError(file, f"it cannot be read ({error.strerror}); check its permissions")


def _parse(file: Path, stream: TextIO, columns: Sequence[str], report: ProblemReport) -> Iterator[CsvRow]:
    lines = csv.reader(stream, strict=True)
    try:
        names = _names(next(lines, []))
        problem = _header_problem(names, columns)
        if problem:
            report(BadFileError(file, problem))
            return
        for cells in lines:
            if len(cells) == len(names):
                stripped = [cell.strip() for cell in cells]
                yield CsvRow(file, lines.line_num, dict(zip(names, stripped, strict=True)))
            elif cells:
                mismatch = f"line {lines.line_num}: {len(cells)} cells were found, the header has {len(names)}"
                report(BadFileError(file, f"{mismatch}; put text with commas in quotes"))
    except csv.Error as error:
        report(BadFileError(file, f"line {lines.line_num}: it is not CSV ({error}); save it as CSV"))


def _header_problem(names: Sequence[str], columns: Sequence[str]) -> str:
    present = ", ".join(names) or "nothing"
    missing = [column for column in columns if column not in names]
    if missing:
        return f"its first line reads {present}; columns named {', '.join(missing)} are needed, separated by commas"
    if len(set(names)) < len(names):
        return f"its first line reads {present}; rename one of those that appear twice"
    return ""
