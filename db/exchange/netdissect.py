"""Reads results of Network Dissection's own code: NetDissect's ``LAYER-result.csv``, NetDissect-Lite's ``tally.csv``.

Both have a row for each unit, best first, with ``unit`` (from 1), ``category``, ``label`` and ``score`` of its best
concept, and for the best concept of each category ``CATEGORY-label``, ``-truth`` (G), ``-activation`` (A),
``-intersect`` (I) and ``-iou`` (CSAILVision/NetDissect, src/makeresult.py; CSAILVision/NetDissect-Lite,
feature_operation.py). There are no thresholds, no exemplars, no numbers of images, and no fingerprints in them.
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
"""The name of label 0, which is printed where a mask meets no concept of a category."""
_CLOSE = 1e-5
"""How far a printed IoU may be from its counts: Python 2 printed twelve digits, NetDissect-Lite adds 1e-10."""
_NOT_TOLD = "not told by a NetDissect result"


class Met(NamedTuple):
    """How a unit's mask meets a concept, as a row tells it."""

    category: str
    label: str
    intersection: int
    activation: int
    truth: int


def require_result(path: Path) -> None:
    """Check that a CSV has the columns of a result.

    Raises:
        StoreError: if it has not; tables that `neuronexplain export` wrote are told apart.
    """
    _header(_reader(_content(path), path), path)


def read_result(
    path: Path, *, network: str, layer: Layer, concepts: str, fingerprint: str = "", quantile: float = QUANTILE
) -> WholeRun:
    """A result as a run, whose key says that it was imported: nobody can tell whether the weights were the same.

    Its thresholds are infinite, and its counts of images 0: they are not known.

    Args:
        path: the file.
        network: the network's name, for people.
        layer: the layer; with 0 units, it has as many as the file.
        concepts: the concept dataset's name, for people.
        fingerprint: of the network, where it is at hand.
        quantile: share of activations above each threshold; 0.005 in both tools unless it was changed.

    Raises:
        StoreError: if the file is no such result, contradicts itself, or has other units than the layer.
    """
    content = _content(path)
    met = _in_order(_rows(path, content), path)
    if layer.units not in {0, len(met)}:
        raise StoreError(
            f"{path} has {len(met)} units, layer {layer.name} of {network} has {layer.units}: not the same"
        )
    layer = Layer(layer.name, len(met), layer.height, layer.width, layer.rectifier)
    supports = _supports(met, path)
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
    units = tuple(Unit(number, inf, _ranked(row, known), ()) for number, row in enumerate(met))
    return WholeRun(run, Dissection(layer, quantile, 0, 0, 0, supports, units), origin=str(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error


def _rows(path: Path, content: bytes) -> dict[int, list[Met]]:
    """What each row says, by its unit's number."""
    found: dict[int, list[Met]] = {}
    reader = _reader(content, path)
    categories = _categories(_header(reader, path))
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise StoreError(f"{where} has not as many cells as the first line")
            number = _whole(row["unit"], where)
            if number in found:
                raise StoreError(f"{where}: unit {number} is there twice")
            found[number] = _met(row, categories, where)
    except csv.Error as error:
        raise _unreadable(path, error) from error
    return found


def _reader(content: bytes, path: Path) -> csv.DictReader[str]:
    try:
        return csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path} is no CSV that can be read: {error}")


def _header(reader: csv.DictReader[str], path: Path) -> Sequence[str]:
    try:
        header = reader.fieldnames or ()
    except csv.Error as error:
        raise _unreadable(path, error) from error
    if tuple(header) in {UNITS, OVERLAPS}:
        raise StoreError(f"{path} is a table for people, without a run's key: import the JSON or the folder instead")
    if len(set(header)) < len(header) or not set(_BEST) <= set(header) or not _categories(header):
        raise StoreError(
            f"{path} is no result of NetDissect: wanted the columns {', '.join(_BEST)} and, for each category, "
            f"{', '.join(f'CATEGORY-{each}' for each in _COUNTS)}, each once; an IoU without counts cannot be checked"
        )
    return header


def _categories(header: Sequence[str]) -> list[str]:
    named = [column.removesuffix("-label") for column in header if column.endswith("-label")]
    return [category for category in named if all(f"{category}-{each}" in header for each in _COUNTS)]


def _met(row: Mapping[str, str], categories: Sequence[str], where: str) -> list[Met]:
    """The concepts that the unit's mask meets at all."""
    found, ious = [], [0.0]
    for category in categories:
        cells = {each: row[f"{category}-{each}"] for each in _COUNTS}
        if cells["label"] in _NO_LABEL:
            _require_close(cells["iou"], 0, f"{where}, {category}")
            continue
        counts = (_whole(cells[each], where) for each in ("intersect", "activation", "truth"))
        met = Met(category, cells["label"], *counts)
        iou = _overlap(met, Concept(0, "", ""), where).iou
        _require_close(cells["iou"], iou, f"{where}, {category}")
        if met.intersection:
            found.append(met)
            ious.append(iou)
    _require_close(row["score"], max(ious), f"{where}, score")
    if found and (row["category"], row["label"]) not in {(each.category, each.label) for each in found}:
        raise StoreError(f"{where}: {row['label']!r} ({row['category']}) is the best concept of no category")
    return found


def _overlap(met: Met, concept: Concept, where: str) -> Overlap:
    if met.intersection > min(met.activation, met.truth):
        raise StoreError(f"{where}, {met.category}: the intersection is greater than what intersects")
    return Overlap(concept, met.intersection, met.activation, met.truth, images=0)


def _in_order(rows: Mapping[int, list[Met]], path: Path) -> list[list[Met]]:
    """Rows by unit from 0: both tools count from 1, others from 0; all units being there tells them apart."""
    numbers = sorted(rows)
    if not numbers or numbers not in (list(range(len(rows))), list(range(1, len(rows) + 1))):
        raise StoreError(f"{path} does not hold every unit: wanted all numbers from 1 (or 0) to the last")
    return [rows[number] for number in numbers]


def _supports(met: Sequence[Sequence[Met]], path: Path) -> tuple[ConceptSupport, ...]:
    """Concepts numbered in the order of category and label: a result has no numbers for them."""
    pixels: dict[tuple[str, str], int] = {}
    for each in (each for row in met for each in row):
        if pixels.setdefault((each.category, each.label), each.truth) != each.truth:
            raise StoreError(f"{path} gives {each.label!r} ({each.category}) different numbers of pixels")
    return tuple(
        ConceptSupport(Concept(number, label, category), 0, pixels[category, label])
        for number, (category, label) in enumerate(sorted(pixels), 1)
    )


def _ranked(row: Sequence[Met], known: Mapping[tuple[str, str], Concept]) -> tuple[Overlap, ...]:
    overlaps = [_overlap(each, known[each.category, each.label], "") for each in row]
    return tuple(sorted(overlaps, key=lambda overlap: (-overlap.iou, overlap.concept.number)))


def _whole(text: str, where: str) -> int:
    """A count; NetDissect-Lite prints it as ``12.0``."""
    number = _number(text, where)
    if not (number.is_integer() and 0 <= number < 2**53):
        raise StoreError(f"{where}: {text[:40]!r} is no count")
    return int(number)


def _require_close(text: str, wanted: float, where: str) -> None:
    if not abs(_number(text, where) - wanted) <= _CLOSE:  # not so for what is no number, either
        raise StoreError(f"{where}: an IoU of {text[:40]} is not what its counts give, {wanted:.6g}")


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise StoreError(f"{where}: {text[:40]!r} is no number") from None
