"""The pages of the database: runs, classes, concepts, neurons, and a search over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from starlette.exceptions import HTTPException

from dissection.vocabulary import common_noun
from neuronexplain.class_likeness import most_alike
from neuronexplain.listings import run_facts
from neuronexplain.pictures.thumbnails import ringed
from neuronexplain.report.glossary import glossary
from neuronexplain.run_differences import differences

from . import pages
from .searching import search
from .state import Names, Shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db import NameStore
    from db.records import Run

    from .catalogue import Catalogue, UnitDigest

Number = Annotated[int, Path(ge=0, lt=2**31)]
Words = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Order = Literal["number", "name", "iou", "truth", "q"]

_ROWS: Final = 100
_SHOWN: Final = 12
_ORDERS: Final = {
    "number": lambda unit: unit.number,
    "name": lambda unit: (unit.name == "", unit.name.casefold(), unit.number),
    "iou": lambda unit: -unit.iou,
    "truth": lambda unit: -(unit.truth or 0),
    "q": lambda unit: (2.0 if unit.q is None else unit.q, -unit.iou),
}


routes = APIRouter(include_in_schema=False)


@routes.get("/runs")
def runs(names: Names) -> Response:
    """Every run."""
    rows = [(run, names.known(run), names.apart(run)) for run in names.runs()]
    newest = rows[0][0] if rows else None
    return _for_now(names, pages.page("runs.html.j2", here="runs", where=names.store.where, rows=rows, run=newest))


@routes.get("/compare")
def compare(names: Names, a: Annotated[int, Query(ge=0)], b: Annotated[int, Query(ge=0)]) -> Response:
    """What two runs differ in: what their answers depend on, their concepts, and neurons of another name."""
    sides = [names.digest(names.run(number)) for number in (a, b)]
    apart = differences([side.run for side in sides]) if a != b else {a: {}}
    shared = sides[0].concepts.keys() & sides[1].concepts.keys()
    is_one_body = not sides[0].run.known_by.isdisjoint(sides[1].run.known_by)  # then a unit is the same in both
    pairs = zip(sides[0].units, sides[1].units, strict=True) if is_one_body else ()
    only = [[concept for name, concept in side.concepts.items() if name not in shared] for side in sides]
    return pages.page(
        "compare.html.j2",
        here="runs",
        run=sides[0].run,
        sides=sides,
        apart=apart,
        shared=len(shared),
        only=only,
        renamed=[(one, other) for one, other in pairs if one.name != other.name] if is_one_body else None,
        most=_ROWS,
    )


@routes.get("/runs/{run}")
def run_page(shared: Shared, run: Number) -> Response:
    """One run."""
    names = shared.catalogue
    digest = names.digest(names.run(run))
    return pages.page(
        "run.html.j2",
        here="runs",
        run=digest.run,
        digest=digest,
        facts=run_facts(digest.run, named=digest.named),
        apart=names.apart(digest.run),
        others=[other for other in names.runs() if other.id != run],
        has_audits=shared.audits is not None,
    )


@routes.get("/runs/{run}/classes")
def classes(names: Names, run: Number, start: Annotated[int, Query(ge=0, lt=2**31)] = 0) -> Response:
    """The classes that the network of a run tells apart."""
    chosen = names.run(run)
    images = names.store.class_images(chosen)
    rows = [(index, label, images.get(index, 0)) for index, label in enumerate(chosen.classes)]
    return pages.page("classes.html.j2", here="classes", run=chosen, **_slice(rows, start, 2 * _ROWS))


@routes.get("/runs/{run}/classes/{index}")
def class_page(names: Names, run: Number, index: Number) -> Response:
    """What matters for a class, and which classes are most alike."""
    chosen = names.run(run)
    if index >= len(chosen.classes):
        raise HTTPException(
            404, f"The network of run {run} has {len(chosen.classes)} classes, and none {index}: choose one of them."
        )
    images = names.store.class_images(chosen).get(index, 0)
    answers = names.store.concepts_of(chosen, index) if images and not chosen.key.imported else []
    return pages.page(
        "class.html.j2",
        here="classes",
        run=chosen,
        label=chosen.classes[index],
        index=index,
        images=images,
        answers=answers,
        most=_SHOWN,
        alike=_alike(names, chosen, index) if answers else [],
    )


@routes.get("/runs/{run}/concepts")
def concepts(names: Names, run: Number) -> Response:
    """The concepts that name neurons."""
    digest = names.digest(names.run(run))
    return pages.page("concepts.html.j2", here="concepts", run=digest.run, digest=digest)


@routes.get("/runs/{run}/concept")
def concept_page(names: Names, run: Number, name: Words) -> Response:
    """The neurons that a concept names, and the classes that it matters for."""
    digest = names.digest(names.run(run))
    concept = digest.concepts.get(name.strip().casefold())
    if concept is None:
        names.store.units_named(digest.run, name)  # raises what is near
        raise HTTPException(404, f"No unit of run {run} is named {name!r}: choose one of its concepts.")
    return pages.page(
        "concept.html.j2",
        here="concepts",
        run=digest.run,
        concept=concept,
        units=sorted((digest.units[unit] for unit in concept.units), key=lambda unit: -unit.iou),
        answers=_classes_for(names.store, digest.run, concept.spoken),
        most=_SHOWN,
    )


@routes.get("/runs/{run}/neurons")
def neurons(
    names: Names, run: Number, start: Annotated[int, Query(ge=0, lt=2**31)] = 0, order: Order = "number"
) -> Response:
    """The neurons of a run, in an order."""
    digest = names.digest(names.run(run))
    units: list[UnitDigest] = sorted(digest.units, key=_ORDERS[order])
    return pages.page(
        "neurons.html.j2", here="neurons", run=digest.run, digest=digest, order=order, **_slice(units, start, _ROWS)
    )


@routes.get("/runs/{run}/neurons/{unit}")
def neuron(names: Names, run: Number, unit: Number) -> Response:
    """A neuron: its exemplars, and what speaks for its name."""
    chosen = names.run_with_unit(run, unit)
    kept = names.store.unit(chosen, unit)
    return pages.page(
        "neuron.html.j2",
        here="neurons",
        run=chosen,
        unit=kept,
        name=kept.name(),
        exemplars=list(enumerate(kept.exemplars)),
    )


@routes.get("/runs/{run}/neurons/{unit}/exemplars/{rank}")
def exemplar(names: Names, run: Number, unit: Number, rank: Number) -> Response:
    """A picture of an image that excites a neuron, with a ring where it is most active."""
    chosen = names.run_with_unit(run, unit)
    exemplars = names.store.unit(chosen, unit).exemplars
    picture = names.store.picture(chosen, exemplars[rank].index) if rank < len(exemplars) else None
    if picture is None:
        raise HTTPException(404, f"Run {run} keeps no picture {rank} of unit {unit}.")
    return Response(ringed(picture, exemplars[rank], chosen.layer), media_type="image/jpeg")


@routes.get("/search")
def search_page(names: Names, q: Words = "") -> Response:
    """What is called something."""
    runs = {run.id: run for run in names.runs()}
    hits = search(names, q)
    noun = common_noun(runs[hit.run].layer for hit in hits if hit.kind == "neuron")
    response = pages.page("search.html.j2", run=next(iter(runs.values()), None), runs=runs, q=q, hits=hits, noun=noun)
    return _for_now(names, response)


@routes.get("/glossary")
def glossary_page(names: Names) -> Response:
    """What the words of these pages mean."""
    newest = next(iter(names.runs()), None)
    return pages.page("glossary.html.j2", run=newest, terms=glossary())


def _for_now(names: Catalogue, response: Response) -> Response:
    """An answer that is not kept while it may lack what is still being read."""
    if names.is_reading:
        response.headers["cache-control"] = "no-store"
    return response


def _slice(rows: Sequence[object], start: int, most: int) -> dict[str, object]:
    """The rows of a page from ``start`` on, and where the pages before and after begin."""
    start = min(start, max(len(rows) - 1, 0)) // most * most
    return {
        "rows": rows[start : start + most],
        "start": start,
        "total": len(rows),
        "before": start - most if start else None,
        "after": start + most if start + most < len(rows) else None,
    }


def _alike(catalogue: Catalogue, run: Run, index: int) -> list[object]:
    kept = catalogue.store.lit_contributions(run)
    if kept is None:
        return []
    concepts = catalogue.digest(run).concepts.values()
    return list(most_alike(kept, index, {concept.spoken: concept.units for concept in concepts}))


def _classes_for(store: NameStore, run: Run, concept: str) -> list[object]:
    """The classes that a concept matters for; none where the run does not say."""
    return [] if run.key.imported or not run.classes else list(store.classes_for(run, concept))
