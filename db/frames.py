"""Runs as pandas frames, and frames as runs. Import this module explicitly: only it needs pandas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, astuple, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dissection.vocabulary import (
    MIN_IOU,
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

from .arguments import chosen_run, reading
from .errors import StoreError
from .excess import standard_errors
from .records import STATISTICS, ClassImportance
from .schema import AREAS, HALVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from .arguments import StoreLike
    from .records import Run, RunLike
    from .store import NameStore

RUNS = (
    "id",
    "network",
    "layer",
    "units",
    "concepts",
    "images",
    "quantile",
    "evidence",
    "fingerprint",
    "body",
    "created",
)
UNITS = (
    "unit",
    "name",
    "category",
    "iou",
    "threshold",
    "intersection",
    "union",
    "images",
    "best",
    "formula",
    "formula_iou",
    "truth",
    "lit_images",
    "p",
    "q",
    "kept",
    "iou_low",
    "iou_high",
)
THRESHOLDS = ("unit", "threshold")
CONCEPTS = ("number", "name", "category", "images", "pixels")
OVERLAPS = (
    "unit",
    "rank",
    "number",
    "concept",
    "category",
    "intersection",
    "unit_area",
    "concept_area",
    "union",
    "iou",
    "images",
)
EXEMPLARS = ("unit", "rank", "image", "index", "activation", "row", "column")
EXEMPLAR_CONCEPTS = ("unit", "rank", "place", "number")
IMPORTANCES = ("index", "label", "images", "unit", "alpha", "contribution")
IMPORTANCES_WITH_ERRORS = (*IMPORTANCES, "alpha_error", "contribution_error", "lit", "lit_error")
TRUTHS = ("unit", "rank", "lit_images", "hit_images", "dark_images", "missed_images")
EVIDENCE = ("unit", "p", "q", "kept", "iou_low", "iou_high", "margin_low", "margin_high")
RUNNERS_UP = ("unit", "rank", "number")
QUARTERS = ("unit", "quarter", "least", "images", "hits")
LIT_MAPS = ("unit", "cell", "activation")
CONTROLS = ("unit", "iou")
COMPOSITIONS = (
    "unit",
    "length",
    *(f"{half}_{area}" for half in HALVES for area in AREAS),
    *("gain_low", "gain_high", "p", "q", "lit_images", "hit_images", "dark_images", "missed_images"),
)
FORMULA_TERMS = ("unit", "length", "place", "operator", "number")
CLASS_STATISTICS = ("index", "unit", *STATISTICS)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A whole run as frames, each in the columns that the module's constants list.

    Attributes:
        concepts: concepts with their support.
        thresholds: units with their thresholds.
        overlaps: overlaps by unit and rank; ``union``, ``iou``, ``concept`` and ``category`` are for people, and
            `values` ignores them.
        exemplars: exemplars by unit and rank.
        exemplar_concepts: numbers of the concepts that exemplars show, by unit, rank and their place in that list.
        importances: one row per class and unit.
        truths: how often concepts are there when units respond, by unit and rank of the overlap.
        evidence: what speaks for the best overlaps, by unit.
        runners_up: numbers of concepts, by unit and rank.
        quarters: quarters of the lit images, by unit.
        lit_maps: cells of the lit maps, by unit.
        controls: the control's greatest IoU with the best concept, by unit.
        class_statistics: the other statistics of classes, where they were gathered, by class and unit.
        compositions: formulas of several concepts, by unit and length: their areas, gains, rates and truths.
        formula_terms: numbers of their concepts and the operators that join them, by unit, length and place.
    """

    concepts: pd.DataFrame
    thresholds: pd.DataFrame
    overlaps: pd.DataFrame
    exemplars: pd.DataFrame
    exemplar_concepts: pd.DataFrame
    importances: pd.DataFrame
    truths: pd.DataFrame
    evidence: pd.DataFrame
    runners_up: pd.DataFrame
    quarters: pd.DataFrame
    lit_maps: pd.DataFrame
    controls: pd.DataFrame
    class_statistics: pd.DataFrame
    compositions: pd.DataFrame
    formula_terms: pd.DataFrame


def runs_frame(store: StoreLike) -> pd.DataFrame:
    """One row per run, oldest first; ``store`` may be the path or URL of a database."""
    with reading(store) as opened:
        return _frame((_run_row(run) for run in opened.runs()), RUNS)


def units_frame(store: StoreLike, run: RunLike | None = None, min_iou: float = MIN_IOU) -> pd.DataFrame:
    """One row per unit; ``name`` and ``category`` are missing if no concept reaches ``min_iou``.

    ``best`` is the best concept's spoken name, however small its ``iou``; missing if the unit overlaps no concept.
    ``truth`` is the share of the ``lit_images`` that carry it; it and the other evidence are NaN where not known.

    Args:
        store: the store, or the path or URL of its database.
        run: the run, or its number; by default the newest.
        min_iou: least IoU at which a unit has a name.

    Raises:
        RunNotFoundError: if there is no such run.
    """
    with reading(store) as opened:
        return _frame((_unit_row(unit, min_iou) for unit in opened.dissection(chosen_run(opened, run)).units), UNITS)


def overlaps_frame(store: StoreLike, run: RunLike | None = None) -> pd.DataFrame:
    """One row per unit and concept kept for it, best first; ``store`` and ``run`` are those of `units_frame`."""
    with reading(store) as opened:
        return _overlaps(opened.dissection(chosen_run(opened, run)))


def importances_frame(store: StoreLike, run: RunLike | None = None) -> pd.DataFrame:
    """One row per class and unit, for the classes that importances were gathered for.

    ``lit`` is the mean lit contribution. It and the standard errors of the means are NaN where no statistics are kept;
    errors also for a class of one image. ``store`` and ``run`` are those of `units_frame`.
    """
    with reading(store) as opened:
        gathered = _gathered(opened, chosen_run(opened, run))
    return _joined(map(_importance_frame_with_errors, gathered), IMPORTANCES_WITH_ERRORS)


def frames(store: NameStore, run: Run) -> Frames:
    """Everything that `values` needs to restore the run's dissection and importances."""
    dissection = store.dissection(run)
    importances = _gathered(store, run)
    return Frames(
        concepts=_frame((_concept_row(support) for support in dissection.concepts), CONCEPTS),
        thresholds=_frame(
            ({"unit": unit.number, "threshold": unit.threshold} for unit in dissection.units), THRESHOLDS
        ),
        overlaps=_overlaps(dissection),
        exemplars=_frame(_ranked(dissection, lambda unit: map(_exemplar_row, unit.exemplars)), EXEMPLARS),
        exemplar_concepts=_frame(_exemplar_concept_rows(dissection), EXEMPLAR_CONCEPTS),
        importances=_joined(map(_importance_frame, importances), IMPORTANCES),
        truths=_frame(_truth_rows(dissection), TRUTHS),
        evidence=_frame(_evidence_rows(dissection), EVIDENCE),
        runners_up=_frame(_runner_up_rows(dissection), RUNNERS_UP),
        quarters=_frame(_quarter_rows(dissection), QUARTERS),
        lit_maps=_frame(_lit_map_rows(dissection), LIT_MAPS),
        controls=_frame(_control_rows(dissection), CONTROLS),
        class_statistics=_joined(map(_statistics_frame, importances), CLASS_STATISTICS),
        compositions=_frame(_composition_rows(dissection), COMPOSITIONS),
        formula_terms=_frame(_term_rows(dissection), FORMULA_TERMS),
    )


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


def _frame(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _joined(parts: Iterable[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    frames = [frame for frame in parts if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else _frame((), columns)


def _gathered(store: NameStore, run: Run) -> list[ClassImportance]:
    importances = (store.importance(run, index) for index in store.class_images(run))
    return [importance for importance in importances if importance is not None]


def _ordered(frame: pd.DataFrame, columns: tuple[str, ...], *, by: list[str]) -> pd.DataFrame:
    if missing := [name for name in columns if name not in frame.columns]:
        raise StoreError(f"a frame lacks the columns {', '.join(missing)}: it has {', '.join(map(str, frame.columns))}")
    return frame.sort_values(by)


def _rows(frame: pd.DataFrame, columns: tuple[str, ...], *, by: list[str]) -> list[dict[str, Any]]:
    """Rows in Python's own types."""
    ordered = _ordered(frame, columns, by=by)
    cells = zip(*(ordered[name].tolist() for name in columns), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "network": run.network,
        "layer": run.layer.name,
        "units": run.layer.units,
        "concepts": run.concepts,
        "images": run.images,
        "quantile": run.key.quantile,
        "evidence": run.evidence,
        "fingerprint": run.key.network,
        "body": run.body,
        "created": run.created,
    }


def _unit_row(unit: Unit, min_iou: float) -> dict[str, Any]:
    name, best = unit.name(min_iou), unit.best
    row = {
        "unit": unit.number,
        "name": name.concept.spoken if name else None,
        "category": name.concept.category if name else None,
        "threshold": unit.threshold,
        **_known_evidence(unit),
        **_known_formula(unit, min_iou),
    }
    if best is None:
        return row | {"iou": 0.0, "intersection": 0, "union": 0, "images": 0, "best": None}
    evidence = {"iou": best.iou, "intersection": best.intersection, "union": best.union, "images": best.images}
    return row | evidence | {"best": best.concept.spoken}


def _known_evidence(unit: Unit) -> dict[str, float]:
    truth = unit.best.truth if unit.best else None
    known = {} if truth is None else {"truth": truth.precision, "lit_images": truth.lit_images}
    if unit.evidence is not None:
        low, high = unit.evidence.iou
        shares = {name: getattr(unit.evidence, name) for name in ("p", "q", "kept")}
        known |= shares | {"iou_low": low, "iou_high": high}
    return known  # a frame has NaN for what is not there


def _known_formula(unit: Unit, min_iou: float) -> dict[str, object]:
    composition = unit.composition(min_iou)
    if composition is None:
        return {}
    return {"formula": composition.formula.spoken, "formula_iou": composition.held_out.iou}


def _concept_row(support: ConceptSupport) -> dict[str, Any]:
    return asdict(support.concept) | {"images": support.images, "pixels": support.pixels}


def _overlaps(dissection: Dissection) -> pd.DataFrame:
    return _frame(_ranked(dissection, lambda unit: map(_overlap_row, unit.overlaps)), OVERLAPS)


def _overlap_row(overlap: Overlap) -> dict[str, Any]:
    return {
        "number": overlap.concept.number,
        "concept": overlap.concept.spoken,
        "category": overlap.concept.category,
        "intersection": overlap.intersection,
        "unit_area": overlap.unit_area,
        "concept_area": overlap.concept_area,
        "union": overlap.union,
        "iou": overlap.iou,
        "images": overlap.images,
    }


def _ranked(dissection: Dissection, rows: Callable[[Unit], Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for rank, row in enumerate(rows(unit)):
            yield {"unit": unit.number, "rank": rank} | row


def _exemplar_row(exemplar: Exemplar) -> dict[str, Any]:
    return {name: getattr(exemplar, name) for name in ("image", "index", "activation", "row", "column")}


def _exemplar_concept_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for rank, exemplar in enumerate(unit.exemplars):
            for place, concept in enumerate(exemplar.concepts):
                yield {"unit": unit.number, "rank": rank, "place": place, "number": concept.number}


def _truth_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for rank, overlap in enumerate(unit.overlaps):
            if overlap.truth is not None:
                yield {"unit": unit.number, "rank": rank} | asdict(overlap.truth)


def _evidence_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit, evidence in _proven(dissection):
        values = (unit, evidence.p, evidence.q, evidence.kept, *evidence.iou, *evidence.margin)
        yield dict(zip(EVIDENCE, values, strict=True))


def _runner_up_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit, evidence in _proven(dissection):
        for rank, concept in enumerate(evidence.runners_up):
            yield {"unit": unit, "rank": rank, "number": concept.number}


def _quarter_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit, evidence in _proven(dissection):
        for number, quarter in enumerate(evidence.quarters):
            yield {"unit": unit, "quarter": number} | asdict(quarter)


def _lit_map_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit, evidence in _proven(dissection):
        for cell, activation in enumerate(evidence.lit_map):
            yield {"unit": unit, "cell": cell, "activation": activation}


def _control_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit, evidence in _proven(dissection):
        if evidence.control is not None:
            yield {"unit": unit, "iou": evidence.control}


def _composition_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for one in unit.compositions:
            areas = (getattr(getattr(one, half), area) for half in HALVES for area in AREAS)
            values = (unit.number, one.formula.length, *areas, *one.gain, one.p, one.q, *astuple(one.truth))
            yield dict(zip(COMPOSITIONS, values, strict=True))


def _term_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for one in unit.compositions:
            for place, (operator, concept) in enumerate([("", one.formula.first), *one.formula.steps]):
                values = (unit.number, one.formula.length, place, operator, concept.number)
                yield dict(zip(FORMULA_TERMS, values, strict=True))


def _proven(dissection: Dissection) -> Iterator[tuple[int, Evidence]]:
    """The units for which there is evidence."""
    for unit in dissection.units:
        if unit.evidence is not None:
            yield unit.number, unit.evidence


def _importance_frame(importance: ClassImportance) -> pd.DataFrame:
    columns = {
        "index": importance.index,
        "label": importance.label,
        "images": importance.images,
        "unit": np.arange(len(importance.alphas)),
        "alpha": importance.alphas,
        "contribution": importance.contributions,
    }
    return pd.DataFrame(columns, columns=list(IMPORTANCES))


def _importance_frame_with_errors(importance: ClassImportance) -> pd.DataFrame:
    frame = _importance_frame(importance)
    if importance.statistics:
        alpha_squares, contribution_squares, lits, lit_squares = importance.statistics
        frame["lit"] = lits
        for name, means, squares in (
            ("alpha", importance.alphas, alpha_squares),
            ("contribution", importance.contributions, contribution_squares),
            ("lit", lits, lit_squares),
        ):
            frame[f"{name}_error"] = standard_errors(means, squares, importance.images)
    return frame.reindex(columns=list(IMPORTANCES_WITH_ERRORS))


def _statistics_frame(importance: ClassImportance) -> pd.DataFrame:
    columns = dict(zip(STATISTICS, importance.statistics, strict=False))
    units = np.arange(len(importance.alphas) if columns else 0)
    return pd.DataFrame({"index": importance.index, "unit": units} | columns, columns=list(CLASS_STATISTICS))


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
        raise StoreError(f"unit {row['unit']} has concept {row['number']}, which the frame of concepts lacks")
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
            quarters=tuple(
                Quarter(quarter["least"], quarter["images"], quarter["hits"])
                for quarter in quarters.get(row["unit"], ())
            ),
            lit_map=tuple(cell["activation"] for cell in lit_maps.get(row["unit"], ())),
            control=controls.get(row["unit"]),
        )
        for row in _rows(frames.evidence, EVIDENCE, by=["unit"])
    }


def _compositions(frames: Frames, concepts: Mapping[int, Concept]) -> dict[int, tuple[Composition, ...]]:
    terms: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(frames.formula_terms, FORMULA_TERMS, by=["unit", "length", "place"]):
        terms[row["unit"], row["length"]].append(row)
    made: dict[int, tuple[Composition, ...]] = {}
    for row in _rows(frames.compositions, COMPOSITIONS, by=["unit", "length"]):
        (first, *steps), unit = terms[row["unit"], row["length"]], row["unit"]
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
