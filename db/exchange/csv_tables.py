"""Names and counts as CSV, for people and their spreadsheets: they have no run's key, so they cannot be read back.

A name that a spreadsheet would take for a formula stands after an apostrophe.
"""

from __future__ import annotations

import csv
import io
from math import isfinite
from typing import TYPE_CHECKING

from dissection.plain_text import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from dissection.vocabulary import Unit

UNITS = (
    "unit",
    "name",
    "category",
    "iou",
    "intersection",
    "unit_area",
    "concept_area",
    "images",
    "threshold",
    "best",
    "formula",
    "formula_iou",
)
OVERLAPS = (
    "unit",
    "rank",
    "concept",
    "category",
    "iou",
    "intersection",
    "unit_area",
    "concept_area",
    "images",
)


def write_units(stream: BinaryIO, units: Iterable[Unit]) -> None:
    """Write a line for each unit: its name and category if it has one, and the counts of its best concept.

    A formula is one of several concepts that describes the unit better; its IoU is that on held-out images.
    """
    _write(stream, UNITS, map(_unit_row, units))


def write_overlaps(stream: BinaryIO, units: Iterable[Unit]) -> None:
    """Write a line for each unit and concept kept for it, best first."""
    _write(stream, OVERLAPS, (row for unit in units for row in _overlap_rows(unit)))


def _write(stream: BinaryIO, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    text.detach()


def _unit_row(unit: Unit) -> tuple[object, ...]:
    name, best = unit.name(), unit.best
    named = (cell(name.concept.spoken), cell(name.concept.category)) if name else ("", "")
    threshold = unit.threshold if isfinite(unit.threshold) else ""
    if best is None:
        return (unit.number, *named, 0.0, "", "", "", "", threshold, "", "", "")
    counts = (best.iou, best.intersection, best.unit_area, best.concept_area, best.images)
    composition = unit.composition()
    formula = (cell(composition.formula.spoken), composition.held_out.iou) if composition else ("", "")
    return (unit.number, *named, *counts, threshold, cell(best.concept.spoken), *formula)


def _overlap_rows(unit: Unit) -> Iterator[tuple[object, ...]]:
    for rank, overlap in enumerate(unit.overlaps):
        named = (cell(overlap.concept.spoken), cell(overlap.concept.category), overlap.iou)
        counts = (overlap.intersection, overlap.unit_area, overlap.concept_area, overlap.images)
        yield (unit.number, rank, *named, *counts)
