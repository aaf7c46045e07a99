"""Runs as pandas frames, for people, or whole."""

from __future__ import annotations

from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from db.arguments import chosen_run, reading
from db.excess import standard_errors
from db.records import STATISTICS
from db.schema import AREAS, HALVES
from dissection.vocabulary import MIN_IOU

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
    IMPORTANCES_WITH_ERRORS,
    LIT_MAPS,
    OVERLAPS,
    QUARTERS,
    RUNNERS_UP,
    RUNS,
    THRESHOLDS,
    TRUTHS,
    UNITS,
    Frames,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from db.arguments import StoreLike
    from db.records import ClassImportance, Run, RunLike
    from db.store import NameStore
    from dissection.vocabulary import ConceptSupport, Dissection, Evidence, Exemplar, Overlap, Unit


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
        formula_quarters=_frame(_formula_quarter_rows(dissection), FORMULA_QUARTERS),
        formula_maps=_frame(_formula_map_rows(dissection), FORMULA_MAPS),
    )


def _frame(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _joined(parts: Iterable[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    frames = [frame for frame in parts if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else _frame((), columns)


def _gathered(store: NameStore, run: Run) -> list[ClassImportance]:
    importances = (store.importance(run, index) for index in store.class_images(run))
    return [importance for importance in importances if importance is not None]


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


def _formula_quarter_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for one in unit.compositions:
            for number, quarter in enumerate(one.quarters):
                yield {"unit": unit.number, "length": one.formula.length, "quarter": number} | asdict(quarter)


def _formula_map_rows(dissection: Dissection) -> Iterator[dict[str, Any]]:
    for unit in dissection.units:
        for one in unit.compositions:
            for cell, activation in enumerate(one.lit_map):
                yield {"unit": unit.number, "length": one.formula.length, "cell": cell, "activation": activation}


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
