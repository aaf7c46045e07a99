"""A page with charts of an evaluation's tables: a bar for each figure, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.files.atomic import replace_file
from neuronexplain.metrics.intervals import Figure
from neuronexplain.report.page import render

from .tables import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .tables import Report, TableRow, Value


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure of a chart; ``low`` and ``high`` are its interval, or the value where there is none."""

    label: str
    text: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one unit.

    Attributes:
        title: what they measure.
        bars: the bars; an unknown figure has none, nor has one without bounds.
    """

    title: str
    bars: tuple[Bar, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest number on the axis, which holds 0."""
        numbers = [number for bar in self.bars for number in (bar.low, bar.high, bar.value)]
        return min(0.0, *numbers), max(0.0, *numbers)

    def place(self, number: float) -> float:
        """Where a number is on the axis, from 0 to 100."""
        least, greatest = self.ends
        return round(100 * (number - least) / (greatest - least), 2) if greatest > least else 0.0


def write_charts(path: Path, reports: Sequence[Report], *, subtitle: str) -> None:
    """Write the tables of an evaluation, each with its charts, as one HTML file without scripts or outside assets.

    Raises:
        OutputError: if the file cannot be written.
    """
    sections = [(report, charts(report)) for report in reports]
    page = render("charts.html.j2", sections=sections, subtitle=subtitle)
    replace_file(path, page.encode("utf-8", "replace"))


def charts(report: Report) -> list[Chart]:
    """The charts of a table: one for each column of figures, or for each row where every row has a unit of its own."""
    made = _of_rows(report) if report.unit_of == "row" else _of_columns(report)
    return [chart for chart in made if chart.bars]


def _of_columns(report: Report) -> Iterator[Chart]:
    for key, heading in report.columns.items():
        if any(isinstance(row.get(key), Figure) for row in report.rows):
            yield Chart(heading, tuple(_bars((_label(report, row), row.get(key)) for row in report.rows)))


def _of_rows(report: Report) -> Iterator[Chart]:
    for row in report.rows:
        if any(isinstance(value, Figure) for value in row.values()):
            numbers = ((heading, row.get(key)) for key, heading in report.columns.items())
            yield Chart(_label(report, row), tuple(_bars(numbers)))


def _label(report: Report, row: TableRow) -> str:
    """The words that a row begins with."""
    words = [str(value) for key in report.columns if isinstance(value := row.get(key), str) and value]
    return ", ".join(words[:1] if report.unit_of == "row" else words)


def _bars(numbers: Iterable[tuple[str, Value]]) -> Iterator[Bar]:
    for label, value in numbers:
        ends = (value, value, value) if isinstance(value, float) else ()
        if isinstance(value, Figure):
            ends = value.value, value.low, value.high
        if ends and all(map(math.isfinite, ends)):
            yield Bar(label, shown(value), *ends)
