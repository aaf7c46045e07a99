"""The same as data: what the command line prints with ``--json``, below ``/api``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query

from db.queries import RankBy
from db.records import require_built, require_evidence
from dissection.vocabulary import MIN_IOU
from neuronexplain.classes import find_class
from neuronexplain.listings import list_classes_for, list_concepts_of, list_runs, unit_row
from neuronexplain.run_differences import differences

from .api_types import REFUSALS, ClassForConcept, ConceptOfClass, Hit, Run, UnitName
from .json_answer import PlainJSON
from .searching import search
from .state import Names

Number = Annotated[int, Path(ge=0, lt=2**31, description="A run's number.")]
_PLAIN = r"^[^\x00]*$"
Words = Annotated[str, Query(max_length=200, pattern=_PLAIN)]
MinIou = Annotated[float, Query(ge=0, le=1, description="Least IoU at which a neuron has a name.")]
Limit = Annotated[int | None, Query(ge=1, description="At most this many rows.")]


routes = APIRouter(prefix="/api", default_response_class=PlainJSON, responses=REFUSALS)


@routes.get("/runs", summary="neuronexplain runs --json", response_model=list[Run])
def runs(names: Names) -> PlainJSON:
    """Every run, oldest first."""
    return PlainJSON(list_runs(names.store))


@routes.get("/compare", summary="What sets two runs apart", response_model=dict[str, dict[str, str]])
def compare(names: Names, a: Annotated[int, Query(ge=0)], b: Annotated[int, Query(ge=0)]) -> PlainJSON:
    """The settings in which two runs differ, by run."""
    apart = differences([names.run(number) for number in dict.fromkeys((a, b))])
    return PlainJSON({str(number): apart[number] for number in apart})


@routes.get("/runs/{run}/units", summary="neuronexplain units --json", response_model=list[UnitName])
def units(
    names: Names,
    run: Number,
    unit: Annotated[int | None, Query(ge=0, description="Only this neuron.")] = None,
    concept: Annotated[
        str | None, Query(max_length=200, pattern=_PLAIN, description="Only neurons of this name.")
    ] = None,
    proven: Annotated[bool, Query(description="Only neurons whose names are more than chance.")] = False,  # noqa: FBT002 -- a query's parameter
    min_iou: MinIou = MIN_IOU,
) -> PlainJSON:
    """The neurons of a run: name, IoU, truth, q and counts."""
    chosen = names.run(run) if unit is None else names.run_with_unit(run, unit)
    listed = [names.store.unit(chosen, unit)] if unit is not None else names.store.dissection(chosen).units
    if concept is not None:
        named = names.store.units_named(chosen, concept, min_iou=min_iou)
        listed = [neuron for neuron in listed if neuron.number in named]
    if proven:
        require_evidence(chosen)
        listed = [neuron for neuron in listed if neuron.is_proven(min_iou)]
    return PlainJSON([unit_row(neuron, min_iou) for neuron in listed])


@routes.get(
    "/runs/{run}/concepts", summary="neuronexplain concepts of CLASS --json", response_model=list[ConceptOfClass]
)
def concepts_of(
    names: Names,
    run: Number,
    of: Annotated[str, Query(max_length=200, pattern=_PLAIN, description="A class: label, synonym or number.")],
    rank_by: RankBy | None = None,
    limit: Limit = None,
    min_iou: MinIou = MIN_IOU,
) -> PlainJSON:
    """The concepts that matter for a class, strongest first."""
    chosen = names.run(run)
    require_built(chosen, "importances")
    index = find_class(chosen.classes, of)
    return PlainJSON(list_concepts_of(names.store, chosen, index, rank_by=rank_by, min_iou=min_iou)[:limit])


@routes.get(
    "/runs/{run}/classes", summary="neuronexplain classes for CONCEPT --json", response_model=list[ClassForConcept]
)
def classes_for(
    names: Names,
    run: Number,
    concept: Annotated[
        str, Query(alias="for", max_length=200, pattern=_PLAIN, description="A concept that names neurons.")
    ],
    rank_by: RankBy | None = None,
    limit: Limit = None,
    min_iou: MinIou = MIN_IOU,
) -> PlainJSON:
    """The classes that a concept matters for, strongest first."""
    chosen = names.run(run)
    return PlainJSON(list_classes_for(names.store, chosen, concept, rank_by=rank_by, min_iou=min_iou)[:limit])


@routes.get("/search", summary="Runs, classes, concepts and neurons by a part of their names", response_model=list[Hit])
def search_data(names: Names, q: Words = "") -> PlainJSON:
    """What is called something."""
    headers = {"cache-control": "no-store"} if names.is_reading else None
    return PlainJSON([asdict(hit) for hit in search(names, q)], headers=headers)
