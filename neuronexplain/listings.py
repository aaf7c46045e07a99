"""The database's answers as rows of plain values that strict JSON can hold: what ``--json`` prints and ``/api`` sends.

A number that is not known is ``None``.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from dissection.vocabulary import MIN_IOU, THIN_EVIDENCE

from .run_differences import differences_within_networks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db import ClassConcept, ConceptClass, Excess, NameStore, RankBy
    from db.records import Run
    from dissection.vocabulary import Composition, Unit

Row = dict[str, object]


def list_runs(store: NameStore) -> list[Row]:
    """A row for each run, oldest first; ``differs`` is what sets it apart from other runs of the same network.

    Raises:
        StoreError: if the database fails, or a run was changed since it was stored.
    """
    runs = store.runs()
    apart = differences_within_networks(runs)
    return [run_row(run, named=len(store.names(run, MIN_IOU)), differs=apart[run.id]) for run in runs]


def run_row(run: Run, *, named: int, differs: Mapping[str, str]) -> Row:
    """A run's row."""
    return {
        "run": run.id,
        "network": run.network,
        "layer": run.layer.name,
        "units": run.layer.units,
        "named": named,
        "concepts": run.concepts,
        "images": run.images or None,
        "quantile": run.key.quantile,
        "created": f"{run.created:%F %R}",
        "differs": dict(differs),
        "fingerprint": run.key.network,
        "body": run.body or None,
        "source": dict(run.source),
    }


def run_facts(run: Run, *, named: int, network: str = "") -> dict[str, str]:
    """What a reader of a page must know about a run, in words; ``network`` is the one that is explained with its names.

    That may be another one than the run was built with, over the same body.
    """
    is_other = network not in {"", run.network}
    return {
        "Network": f"{network}, over the body of {run.network}" if is_other else run.network,
        "Layer": f"{run.layer.name}, {run.layer.units} {run.layer.noun}s, {run.layer.height} x {run.layer.width}",
        **({"Dictionary": str(run.source["learned"])} if run.source.get("learned") else {}),
        f"Named {run.layer.noun}s": f"{named} of {run.layer.units}",
        "Concepts": f"{run.concepts}, {run.images} images",
        "Quantile": f"{run.key.quantile:g}",
        "Built": f"{run.created:%F}",
    }


def unit_row(unit: Unit, min_iou: float = MIN_IOU) -> Row:
    """A unit's row: its name, and the numbers of its best concept."""
    name, best, evidence = unit.name(min_iou), unit.best, unit.evidence
    truth = best.truth if best else None
    return {
        "unit": unit.number,
        "name": name.concept.spoken if name else None,
        "category": best.concept.category if best else None,
        "iou": best.iou if best else None,
        "truth": truth.precision if truth else None,
        "lit_images": truth.lit_images if truth else None,
        "hit_images": truth.hit_images if truth else None,
        "p": evidence.p if evidence else None,
        "q": evidence.q if evidence else None,
        "proven": unit.is_proven(min_iou),
        "threshold": unit.threshold if isfinite(unit.threshold) else None,  # an imported run has none
        "intersection": best.intersection if best else None,
        "union": best.union if best else None,
        "images": (best.images or None) if best else None,
        "best": best.concept.spoken if best else None,
        **formula_row(unit.composition(min_iou)),
    }


def formula_row(composition: Composition | None) -> Row:
    """A formula of several concepts; its IoU is that on held-out images."""
    low, high = composition.gain if composition else (None, None)
    return {
        "formula": composition.formula.spoken if composition else None,
        "formula_iou": composition.held_out.iou if composition else None,
        "formula_gain_low": low,
        "formula_gain_high": high,
        "formula_q": composition.q if composition else None,
    }


def unchecked_row(composition: Composition | None) -> Row:
    """The formula that was found, whether held-out images bear it out or not, and its IoU where it was searched for."""
    return formula_row(composition) | {
        "searched_iou": composition.searched.iou if composition else None,
        "accepted": composition.is_accepted() if composition else None,
    }


def list_concepts_of(
    store: NameStore, run: Run, index: int, *, rank_by: RankBy | None = None, min_iou: float = MIN_IOU
) -> list[Row]:
    """A row for each concept that matters for a class, strongest first.

    Raises:
        StoreError: if there are no importances for the class, or the run lacks what ``rank_by`` needs.
    """
    images = store.class_images(run).get(index, 0)
    return [
        _class_concept_row(answer, images) for answer in store.concepts_of(run, index, rank_by=rank_by, min_iou=min_iou)
    ]


def list_classes_for(
    store: NameStore, run: Run, concept: str, *, rank_by: RankBy | None = None, min_iou: float = MIN_IOU
) -> list[Row]:
    """A row for each class that a concept matters for, strongest first.

    Raises:
        ConceptNotFoundError: if the concept names no unit.
        StoreError: if the run lacks what ``rank_by`` needs.
    """
    return [_concept_class_row(answer) for answer in store.classes_for(run, concept, rank_by=rank_by, min_iou=min_iou)]


def _class_concept_row(answer: ClassConcept, images: int) -> Row:
    return {
        "concept": answer.concept.spoken,
        "category": answer.concept.category,
        **_excess(answer.lit),
        "alpha": answer.alpha,
        "contribution": answer.contribution,
        "iou": answer.iou,
        "class_images": images,
        "thin": images < THIN_EVIDENCE,
        "units": list(answer.units),
    }


def _concept_class_row(answer: ConceptClass) -> Row:
    return {
        "class": answer.label,
        "index": answer.index,
        **_excess(answer.lit),
        "alpha": answer.alpha,
        "contribution": answer.contribution,
        "images": answer.images,
        "thin": answer.is_thin,
        "units": list(answer.units),
    }


def _excess(excess: Excess | None) -> Row:
    """The excess of a lit contribution and its interval; ``None`` where not known."""
    low, high = (excess and excess.interval) or (None, None)
    return {"lit": excess.value if excess else None, "lit_low": low, "lit_high": high}
