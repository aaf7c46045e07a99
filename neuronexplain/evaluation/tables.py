"""The result of an evaluation: a table laid out like the paper's, each figure with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neuronexplain.figures import fixed, true_minus
from neuronexplain.metrics.intervals import Figure

Value = str | int | float | Figure | None
TableRow = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Report:
    """A table.

    Attributes:
        title: what was measured, the section of the paper, and over what.
        columns: heading by key.
        rows: values by key.
        notes: what a reader must know about the figures.
        unit_of: whether the figures of a column have one unit, or those of a row.
    """

    title: str
    columns: Mapping[str, str]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    unit_of: Literal["column", "row"] = "column"

    def to_json(self) -> dict[str, object]:
        """JSON values; a figure is its value, its interval and the number of images; an unknown number is null."""
        rows = [{key: plain(value) for key, value in row.items()} for row in self.rows]
        return {"title": self.title, "columns": dict(self.columns), "rows": rows, "notes": list(self.notes)}

    def cells(self) -> list[dict[str, str]]:
        """The rows as people read them."""
        return [{key: shown(row.get(key)) for key in self.columns} for row in self.rows]


def shown(value: Value) -> str:
    """A value as people read it; a number that is the mean of nothing is unknown.

    >>> shown(Figure(56.514, 50.25, 61.5, 200))
    '56.5 (50.2 to 61.5)'
    """
    match value:
        case None:
            return ""
        case Figure(value=float(number)) | float(number) if math.isnan(number):
            return "unknown"
        case Figure():
            digits = _digits(max(abs(value.value), abs(value.high)))
            middle, low, high = (fixed(number, digits) for number in (value.value, value.low, value.high))
            return f"{middle} ({low} to {high})"
        case float():
            return true_minus(f"{value:.3g}")
    return str(value)


def _digits(size: float) -> int:
    """Decimals for three figures of a number below 100."""
    return 0 if size == 0 else 1 if size >= 10 else 2 if size >= 1 else 3


def plain(value: Value) -> object:
    """A value as JSON; a figure is its value, its interval and the number of images; an unknown number is null."""
    if isinstance(value, Figure):
        numbers = {"value": value.value, "low": value.low, "high": value.high}
        return {key: _finite(number) for key, number in numbers.items()} | {"images": value.images}
    return _finite(value) if isinstance(value, float) else value


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
