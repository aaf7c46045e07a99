"""Reads results of Network Dissection's own code: NetDissect's ``LAYER-result.csv``, NetDissect-Lite's ``tally.csv``.

Both have a row for each unit, best first, with ``unit`` (from 1), ``category``, ``label`` and ``score`` of its best
concept, and for the best concept of each category ``CATEGORY-label``, ``-truth`` (G), ``-activation`` (A),
``-intersect`` (I) and ``-iou`` (CSAILVision/NetDissect, src/makeresult.py; CSAILVision/NetDissect-Lite,
feature_operation.py). They hold no thresholds, exemplars, numbers of images or fingerprints.
"""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from db.errors import StoreError
from db.records import IMPORTED, Run, RunKey, WholeRun
from dissection.vocabulary import QUANTILE, Concept, ConceptSupport, Dissection, Layer, Overlap, Unit

from .csv_tables import OVERLAPS, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_BEST = ("unit", "category", "label", "score")
_COUNTS = ("label", "truth", "activation", "intersect", "iou")
_NO_LABEL = {"-", ""}
"""The name of label 0, which is printed if a mask meets no concept of a category."""
_CLOSE = 1e-5
"""How far a printed IoU may be from its counts: Python 2 printed twelve digits, NetDissect-Lite adds 1e-10."""
_NOT_TOLD = "not told by a NetDissect result"


class Met(NamedTuple):
    """How a unit's mask meets a concept, according to a row."""

    category: str
    label: str
    intersection: int
    activation: int
    truth: int


def require_result(path: Path) -> None:
    """Check that a CSV has the columns of a result.

    Raises:
        StoreError: if not; tables that `neuronexplain export` wrote get a message of their own.
    """
    _header(_reader(_content(path), path), path)


def read_result(
    path: Path, *, network: str, layer: Layer, concepts: str, fingerprint: str = "", quantile: float = QUANTILE
) -> WholeRun:
    """A result as a run; its key says that it was imported, since nobody can tell whether the weights were the same.

    Its thresholds are infinite and its counts of images 0, because they are not known.

    Args:
        path: the file.
        network: the network's name, for people.
        layer: the layer; if it has 0 units, the file's number is taken.
        concepts: the concept dataset's name, for people.
        fingerprint: of the network, if available.
        quantile: share of activations above each threshold; 0.005 in both tools unless it was changed.

    Raises:
        StoreError: if the file is not such a result, contradicts itself, or has other units than the layer.
    """
    content = _content(path)
    meetings = _in_order(_rows(path, content), path)
    if layer.units not in {0, len(meetings)}:
        raise StoreError(
            f"{path} has {len(meetings)} units, layer {layer.name} of {network} has {layer.units}: give its own layer"
        )
    layer = Layer(layer.name, len(meetings), layer.height, layer.width, layer.rectifier)
    supports = _supports(meetings, path)
    known = {(support.concept.category, support.concept.name): support.concept for support in supports}
    key = RunKey(
        network=IMPORTED + (fingerprint or network),
        layer=layer.name,
        concepts=IMPORTED + hashlib.sha256(content).hexdigest(),
        preprocessing=_NOT_TOLD,
        precision="float32",
        quantile=quantile,
        min_images=0,
        upsampling=_NOT_TOLD,
        evidence="none",
    )
    run = Run(
        id=0,
        key=key,
        created=datetime.now(UTC),
        network=network,
        source={"imported": path.name},
        classes=(),
        layer=layer,
        concepts=concepts,
        images=0,
        pixels=0,
        constant_alphas=False,
        evidence="none",
    )
    units = tuple(Unit(number, inf, _ranked(row, known), ()) for number, row in enumerate(meetings))
    return WholeRun(run, Dissection(layer, quantile, 0, 0, 0, supports, units), origin=str(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): check the path") from error


def _rows(path: Path, content: bytes) -> dict[int, list[Met]]:
    """The meetings in each row, by its unit's number."""
    meetings: dict[int, list[Met]] = {}
    reader = _reader(content, path)
    categories = _categories(_header(reader, path))
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise StoreError(f"{where} has more or fewer cells than the first line: get the result again")
            number = _whole(row["unit"], where)
            if number in meetings:
                raise StoreError(f"{where}: unit {number} appears twice: get the result again")
            meetings[number] = _meetings(row, categories, where)
    except csv.Error as error:
        raise _unreadable(path, error) from error
    return meetings


def _reader(content: bytes, path: Path) -> csv.DictReader[str]:
    try:
        return csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} is not a readable CSV ({error}): get the result again")


def _header(reader: csv.DictReader[str], path: Path) -> Sequence[str]:
    try:
        header = reader.fieldnames or ()
    except csv.Error as error:
        raise _unreadable(path, error) from error
    if tuple(header) in {UNITS, OVERLAPS}:
        raise StoreError(f"{path} is a table for people, without a run's key: import the JSON or the folder instead")
    if len(set(header)) < len(header) or not set(_BEST) <= set(header) or not _categories(header):
        raise StoreError(
            f"{path} is not a result of NetDissect: it needs the columns {', '.join(_BEST)} and, for each category, "
            f"{', '.join(f'CATEGORY-{count}' for count in _COUNTS)}, each once; an IoU without counts cannot be checked"
        )
    return header


def _categories(header: Sequence[str]) -> list[str]:
    named = [column.removesuffix("-label") for column in header if column.endswith("-label")]
    return [category for category in named if all(f"{category}-{count}" in header for count in _COUNTS)]


def _meetings(row: Mapping[str, str], categories: Sequence[str], where: str) -> list[Met]:
    """The concepts that the unit's mask meets at all."""
    meetings, ious = [], [0.0]
    for category in categories:
        cells = {column: row[f"{category}-{column}"] for column in _COUNTS}
        if cells["label"] in _NO_LABEL:
            _require_close(cells["iou"], 0, f"{where}, {category}")
            continue
        counts = (_whole(cells[column], where) for column in ("intersect", "activation", "truth"))
        meeting = Met(category, cells["label"], *counts)
        iou = _overlap(meeting, Concept(0, "", ""), where).iou
        _require_close(cells["iou"], iou, f"{where}, {category}")
        if meeting.intersection:
            meetings.append(meeting)
            ious.append(iou)
    _require_close(row["score"], max(ious), f"{where}, score")
    if meetings and (row["category"], row["label"]) not in {(meeting.category, meeting.label) for meeting in meetings}:
        raise StoreError(
            f"{where}: {row['label']!r} ({row['category']}) is the best concept of no category: get the result again"
        )
    return meetings


def _overlap(meeting: Met, concept: Concept, where: str) -> Overlap:
    if meeting.intersection > min(meeting.activation, meeting.truth):
        raise StoreError(
            f"{where}, {meeting.category}: the intersection is larger than one of the areas: get the result again"
        )
    return Overlap(concept, meeting.intersection, meeting.activation, meeting.truth, images=0)


def _in_order(rows: Mapping[int, list[Met]], path: Path) -> list[list[Met]]:
    """Rows by unit from 0: both tools count from 1, others from 0; the full list of units shows which."""
    numbers = sorted(rows)
    if not numbers or numbers not in (list(range(len(rows))), list(range(1, len(rows) + 1))):
        raise StoreError(
            f"{path} does not hold every unit: it needs all numbers from 1 (or 0) to the last: get the result again"
        )
    return [rows[number] for number in numbers]


def _supports(rows: Sequence[Sequence[Met]], path: Path) -> tuple[ConceptSupport, ...]:
    """Concepts numbered in the order of category and label: a result has no numbers for them."""
    pixels: dict[tuple[str, str], int] = {}
    for meeting in (meeting for row in rows for meeting in row):
        if pixels.setdefault((meeting.category, meeting.label), meeting.truth) != meeting.truth:
            raise StoreError(
                f"{path} gives {meeting.label!r} ({meeting.category}) different numbers of pixels: get the result again"
            )
    return tuple(
        ConceptSupport(Concept(number, label, category), 0, pixels[category, label])
        for number, (category, label) in enumerate(sorted(pixels), 1)
    )


def _ranked(row: Sequence[Met], known: Mapping[tuple[str, str], Concept]) -> tuple[Overlap, ...]:
    overlaps = [_overlap(meeting, known[meeting.category, meeting.label], "") for meeting in row]
    return tuple(sorted(overlaps, key=lambda overlap: (-overlap.iou, overlap.concept.number)))


def _whole(text: str, where: str) -> int:
    """A count; NetDissect-Lite prints it as ``12.0``."""
    number = _number(text, where)
    if not (number.is_integer() and 0 <= number < 2**53):
        raise StoreError(f"{where}: {text[:40]!r} is not a count: get the result again")
    return int(number)


def _require_close(text: str, expected: float, where: str) -> None:
    if not abs(_number(text, where) - expected) <= _CLOSE:  # also true of NaN
        raise StoreError(
            f"{where}: an IoU of {text[:40]} is not what its counts give, {expected:.6g}: get the result again"
        )


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StoreError(f"{where}: {text[:40]!r} is not a number: get the result again") from None
