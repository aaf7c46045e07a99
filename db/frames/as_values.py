"""Frames as runs: the values that `frames` made them of."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from db.errors import StoreError
from db.records import STATISTICS, ClassImportance
from db.schema import AREAS, HALVES
from dissection.vocabulary import (
    Composition,
    Concept,
    ConceptSupport,
    Dissection,
    Evidence,
    Exemplar,
    Formula,
    FormulaAreas,
    Overlap,
    Quarter,
    Truth,
    Unit,
    operator_of,
)

from .columns import (
    CLASS_STATISTICS,
    COMPOSITIONS,
    CONCEPTS,
    CONTROLS,
    EVIDENCE,
    EXEMPLAR_CONCEPTS,
    EXEMPLARS,
    FORMULA_MAPS,
    FORMULA_QUARTERS,
    FORMULA_TERMS,
    IMPORTANCES,
    LIT_MAPS,
    OVERLAPS,
    QUARTERS,
    RUNNERS_UP,
    THRESHOLDS,
    TRUTHS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from db.records import Run

    from .columns import Frames


def values(run: Run, frames: Frames) -> tuple[Dissection, list[ClassImportance]]:
    """The dissection and importances that frames hold, in order of unit and rank, however their rows are ordered.

    With ``run`` they can be passed to `NameStore.publish`.

    Raises:
        StoreError: if a frame lacks a column, or an overlap or a runner-up is a concept that is not listed.
    """
    supports = [_support(row) for row in _rows(frames.concepts, CONCEPTS, by=["number"])]
    concepts = {support.concept.number: support.concept for support in supports}
    columns = tuple(name for name in OVERLAPS if name not in {"concept", "category", "union", "iou"})
    overlaps = _by_unit(_rows(frames.overlaps, columns, by=["unit", "rank"]))
    exemplars = _by_unit(_rows(frames.exemplars, EXEMPLARS, by=["unit", "rank"]))
    shown: dict[tuple[int, int], list[Concept]] = defaultdict(list)
    for row in _rows(frames.exemplar_concepts, EXEMPLAR_CONCEPTS, by=["unit", "rank", "place"]):
        shown[row["unit"], row["rank"]].append(_concept(row, concepts))
    truths = {
        (row["unit"], row["rank"]): Truth(
            row["lit_images"], row["hit_images"], row["dark_images"], row["missed_images"]
        )
        for row in _rows(frames.truths, TRUTHS, by=["unit", "rank"])
    }
    evidence = _evidence(frames, concepts)
    compositions = _compositions(frames, concepts)
    units = tuple(
        Unit(
            number=row["unit"],
            threshold=row["threshold"],
            overlaps=tuple(_overlap(overlap, concepts, truths) for overlap in overlaps.get(row["unit"], ())),
            exemplars=tuple(_exemplar(exemplar, shown) for exemplar in exemplars.get(row["unit"], ())),
            evidence=evidence.get(row["unit"]),
            compositions=compositions.get(row["unit"], ()),
        )
        for row in _rows(frames.thresholds, THRESHOLDS, by=["unit"])
    )
    key = run.key
    dissection = Dissection(
        run.layer, key.quantile, key.min_images, run.images, run.pixels, tuple(supports), units, run.draws
    )
    return dissection, list(_importances(frames))


def _ordered(frame: pd.DataFrame, columns: tuple[str, ...], *, by: list[str]) -> pd.DataFrame:
    if missing := [name for name in columns if name not in frame.columns]:
        raise StoreError(
            f"a frame lacks the columns {', '.join(missing)}: add them beside {', '.join(map(str, frame.columns))}"
        )
    return frame.sort_values(by)


def _rows(frame: pd.DataFrame, columns: tuple[str, ...], *, by: list[str]) -> list[dict[str, Any]]:
    """Rows in Python's own types."""
    ordered = _ordered(frame, columns, by=by)
    cells = zip(*(ordered[name].tolist() for name in columns), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def _by_unit(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    return {unit: list(members) for unit, members in groupby(rows, key=lambda row: row["unit"])}


def _support(row: dict[str, Any]) -> ConceptSupport:
    return ConceptSupport(Concept(row["number"], row["name"], row["category"]), row["images"], row["pixels"])


def _overlap(row: dict[str, Any], concepts: Mapping[int, Concept], truths: Mapping[tuple[int, int], Truth]) -> Overlap:
    truth = truths.get((row["unit"], row["rank"]))
    counts = (row["intersection"], row["unit_area"], row["concept_area"], row["images"])
    return Overlap(_concept(row, concepts), *counts, truth)


def _concept(row: dict[str, Any], concepts: Mapping[int, Concept]) -> Concept:
    concept = concepts.get(row["number"])
    if concept is None:
        raise StoreError(
            f"unit {row['unit']} has concept {row['number']}, which the frame of concepts lacks: add it there"
        )
    return concept


def _evidence(frames: Frames, concepts: Mapping[int, Concept]) -> dict[int, Evidence]:
    runners_up = _by_unit(_rows(frames.runners_up, RUNNERS_UP, by=["unit", "rank"]))
    quarters = _by_unit(_rows(frames.quarters, QUARTERS, by=["unit", "quarter"]))
    lit_maps = _by_unit(_rows(frames.lit_maps, LIT_MAPS, by=["unit", "cell"]))
    controls = {row["unit"]: row["iou"] for row in _rows(frames.controls, CONTROLS, by=["unit"])}
    return {
        row["unit"]: Evidence(
            p=row["p"],
            q=row["q"],
            kept=row["kept"],
            iou=(row["iou_low"], row["iou_high"]),
            margin=(row["margin_low"], row["margin_high"]),
            runners_up=tuple(_concept(rival, concepts) for rival in runners_up.get(row["unit"], ())),
            quarters=tuple(map(_quarter, quarters.get(row["unit"], ()))),
            lit_map=tuple(cell["activation"] for cell in lit_maps.get(row["unit"], ())),
            control=controls.get(row["unit"]),
        )
        for row in _rows(frames.evidence, EVIDENCE, by=["unit"])
    }


def _quarter(row: dict[str, Any]) -> Quarter:
    return Quarter(row["least"], row["images"], row["hits"])


def _compositions(frames: Frames, concepts: Mapping[int, Concept]) -> dict[int, tuple[Composition, ...]]:
    terms: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(frames.formula_terms, FORMULA_TERMS, by=["unit", "length", "place"]):
        terms[row["unit"], row["length"]].append(row)
    quarters: dict[tuple[int, int], list[Quarter]] = defaultdict(list)
    for row in _rows(frames.formula_quarters, FORMULA_QUARTERS, by=["unit", "length", "quarter"]):
        quarters[row["unit"], row["length"]].append(_quarter(row))
    maps: dict[tuple[int, int], list[float]] = defaultdict(list)
    for row in _rows(frames.formula_maps, FORMULA_MAPS, by=["unit", "length", "cell"]):
        maps[row["unit"], row["length"]].append(row["activation"])
    made: dict[int, tuple[Composition, ...]] = {}
    for row in _rows(frames.compositions, COMPOSITIONS, by=["unit", "length"]):
        place, unit = (row["unit"], row["length"]), row["unit"]
        first, *steps = terms[place]
        searched, held_out = (FormulaAreas(*(row[f"{half}_{area}"] for area in AREAS)) for half in HALVES)
        one = Composition(
            Formula(
                _concept(first, concepts),
                tuple((operator_of(step["operator"]), _concept(step, concepts)) for step in steps),
            ),
            searched,
            held_out,
            (row["gain_low"], row["gain_high"]),
            row["p"],
            row["q"],
            Truth(row["lit_images"], row["hit_images"], row["dark_images"], row["missed_images"]),
            quarters=tuple(quarters[place]),
            lit_map=tuple(maps[place]),
        )
        made[unit] = (*made.get(unit, ()), one)
    return made


def _exemplar(row: dict[str, Any], shown: Mapping[tuple[int, int], Sequence[Concept]]) -> Exemplar:
    concepts = tuple(shown.get((row["unit"], row["rank"]), ()))
    return Exemplar(row["image"], row["index"], row["activation"], row["row"], row["column"], concepts)


def _importances(frames: Frames) -> Iterator[ClassImportance]:
    statistics = _ordered(frames.class_statistics, CLASS_STATISTICS, by=["index", "unit"])
    ordered = _ordered(frames.importances, IMPORTANCES, by=["index", "unit"])
    for _, rows in ordered.groupby(["index", "label", "images"], dropna=False):
        first = rows.iloc[0]
        index, label, images = int(first["index"]), str(first["label"]), int(first["images"])
        if rows["unit"].tolist() != list(range(len(rows))):
            raise StoreError(f"class {index} ({label!r}) must have one row for each unit in the frame of importances")
        means = [np.array(rows[name], np.float64) for name in ("alpha", "contribution")]
        of_class = statistics[statistics["index"] == index]
        more = [np.array(of_class[name], np.float64) for name in STATISTICS] if len(of_class) else []
        yield ClassImportance(index, label, images, *means, *more)
