"""What the store's tests share: databases to try, runs made by hand, and runs drawn at random."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url, text

from db import ClassImportance, Run, RunKey
from db.records import NEWEST_DIGESTED, OLDEST_SCHEMA, SCHEMA, STATISTICS
from dissection.vocabulary import (
    OPERATORS,
    UPSAMPLING,
    Composition,
    Concept,
    ConceptSupport,
    Dissection,
    Evidence,
    Exemplar,
    Formula,
    FormulaAreas,
    Layer,
    Overlap,
    Quarter,
    Truth,
    Unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

POSTGRES = "NEURONEXPLAIN_TEST_POSTGRES"


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database that does not exist yet (SQLite) or is empty (PostgreSQL)."""
    if request.param == "sqlite":
        yield str(tmp_path / "names.db")
    elif POSTGRES in os.environ:
        yield from empty_schema(os.environ[POSTGRES])
    else:
        pytest.skip(f"{POSTGRES} names no server: run the tests by scripts/with_postgres")


def empty_schema(server: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
        url = make_url(server).update_query_dict({"options": f"-csearch_path={name}"})
        yield url.render_as_string(hide_password=False)
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


SKY = Concept(1, "sky", "object")
GRASS = Concept(2, "grass", "object")
STREET = Concept(4, "street-s", "scene")
TRAFFIC_LIGHT = Concept(9, "traffic_light", "object")


SEA = ConceptSupport(Concept(12, "sea", "object"), 0, 0)
PIXELS = {SKY: 100, GRASS: 174, STREET: 100, TRAFFIC_LIGHT: 100}

PREPROCESSING = (
    '{"interpolation":"bilinear","mean":[0.485,0.456,0.406],"resize":256,"size":[224,224],"std":[0.229,0.224,0.225]}'
)


def overlap(concept: Concept, percent: int) -> Overlap:
    """An overlap whose IoU is ``percent`` / 100, of a mask that lies within the concept's 100 pixels."""
    return Overlap(concept, intersection=percent, unit_area=percent, concept_area=100, images=10 + concept.number)


def grass(intersection: int, unit_area: int) -> Overlap:
    """An overlap with the 174 pixels of grass."""
    return Overlap(GRASS, intersection, unit_area, PIXELS[GRASS], images=10 + GRASS.number)


def small_dissection() -> Dissection:
    """Units 0 and 2: sky; 1: grass; 3: nothing reaches 0.05; 4: no overlap; 5: street."""
    best = [
        (overlap(SKY, 40), grass(14, 40)),  # 0.07
        (grass(60, 86),),  # 0.3
        (overlap(SKY, 5),),
        (overlap(TRAFFIC_LIGHT, 4),),
        (),
        (overlap(STREET, 60), overlap(SKY, 20)),
    ]
    return Dissection(
        layer=Layer("features.29", len(best), 14, 14, "relu"),
        quantile=0.005,
        min_images=10,
        images=800,
        pixels=800 * 112 * 112,
        concepts=tuple(ConceptSupport(concept, 10 + concept.number, pixels) for concept, pixels in PIXELS.items()),
        units=tuple(
            Unit(k, 0.1 + k, overlaps, (Exemplar(f"{k}.jpg", k, 9.5, 3, k), Exemplar("other.jpg", 7, 1 / 3, 0, 0)))
            for k, overlaps in enumerate(best)
        ),
    )


def proven_dissection() -> Dissection:
    """The same with evidence, and a smaller map; unit 3 responds to no image that carries its concept."""
    small = small_dissection()
    layer = replace(small.layer, height=1, width=6)
    units = tuple(proven(unit) if unit.overlaps else in_first_row(unit) for unit in small.units)
    return showing(replace(small, layer=layer, units=units, draws=199))


def composed_dissection() -> Dissection:
    """The same with formulas of several concepts: of unit 0 a pair is accepted and a longer one refused."""
    pair = Composition(
        Formula(SKY, (("and not", GRASS),)),
        FormulaAreas(18, 20, 40),
        FormulaAreas(16, 20, 40),
        gain=(0.01, 1 / 30),
        p=1e-30,
        q=1e-30,
        truth=Truth(8, 6, 700, 5),
        quarters=(Quarter(0.6, 4, 3), Quarter(1.7, 4, 3)),
        lit_map=(0.0, 0.2, 3.5, -0.0, 1 / 7, 8.0),
    )
    triple = Composition(
        Formula(SKY, (("or", TRAFFIC_LIGHT), ("and not", GRASS))),
        FormulaAreas(19, 20, 40),
        FormulaAreas(10, 20, 60),
        gain=(-0.1, 0.1),
        p=1.0,
        q=1.0,
        truth=Truth(8, 7, 700, 9),
    )
    dissection = proven_dissection()
    first, *others = dissection.units
    return replace(dissection, units=(replace(first, compositions=(pair, triple)), *others))


def without_responses(dissection: Dissection) -> Dissection:
    """The same where nothing is known of how units respond to formulas, as in runs of schema 5."""
    return replace(
        dissection,
        units=tuple(
            replace(unit, compositions=tuple(replace(one, quarters=(), lit_map=()) for one in unit.compositions))
            for unit in dissection.units
        ),
    )


def without_shown(dissection: Dissection) -> Dissection:
    """The same where nothing is known of what exemplars show, as in runs of schema 3."""
    return replace(
        dissection,
        units=tuple(
            replace(unit, exemplars=tuple(replace(exemplar, concepts=()) for exemplar in unit.exemplars))
            for unit in dissection.units
        ),
    )


def showing(dissection: Dissection) -> Dissection:
    """The same where the last exemplar of each unit shows a street with grass, and the first one grass or nothing."""
    first, last = (GRASS,), (GRASS, STREET)
    return replace(
        dissection,
        units=tuple(
            replace(
                unit,
                exemplars=tuple(
                    replace(exemplar, concepts=last if exemplar.index == 7 else first if unit.number % 2 else ())
                    for exemplar in unit.exemplars
                ),
            )
            for unit in dissection.units
        ),
    )


def in_first_row(unit: Unit) -> Unit:
    return replace(unit, exemplars=tuple(replace(exemplar, row=0) for exemplar in unit.exemplars))


def proven(unit: Unit) -> Unit:
    overlaps = tuple(
        replace(overlap, truth=Truth(8, hits := 6 - rank, 700, overlap.images - hits))
        for rank, overlap in enumerate(unit.overlaps)
    )
    evidence = Evidence(
        p=0.005 * (unit.number + 1),
        q=0.03,
        kept=0.875,
        iou=(unit.overlaps[0].iou * 0.75, unit.overlaps[0].iou * 1.25),
        margin=(-0.125, 1 / 77),
        runners_up=tuple(overlap.concept for overlap in unit.overlaps[1:]),
        quarters=(Quarter(unit.threshold + 0.5, 4, 2), Quarter(unit.threshold + 1 / 3 + 1, 4, 4)),
        lit_map=() if unit.number == 3 else (0.0, 0.1, 2.5, -0.0, 1 / 3, 9.0),
        control=unit.number / 7,
    )
    return replace(in_first_row(unit), overlaps=overlaps, evidence=evidence)


def run_of(dissection: Dissection, **key: Any) -> Run:
    """A run that fits a dissection, unpublished; ``key`` replaces parts of its key."""
    has_control = any(unit.evidence and unit.evidence.control is not None for unit in dissection.units)
    defaults = {
        "network": "0123456789abcdef" * 4,
        "concepts": "c0ffee",
        "preprocessing": PREPROCESSING,
        "precision": "float32",
        "upsampling": UPSAMPLING,
        "evidence": "folder",
        "draws": dissection.draws,
        "control": has_control,
        "length": max((one.formula.length for unit in dissection.units for one in unit.compositions), default=1),
    }
    return Run(
        id=0,
        key=RunKey(
            **(defaults | key),
            layer=dissection.layer.name,
            quantile=dissection.quantile,
            min_images=dissection.min_images,
        ),
        created=datetime(1970, 1, 1, tzinfo=UTC),
        network="vgg16",
        source={"network": "vgg16", "weights": None, "mean": [0.485, 0.456, 0.406]},
        classes=("beach", "street", "library"),
        layer=dissection.layer,
        concepts="msrc",
        images=dissection.images,
        pixels=dissection.pixels,
        constant_alphas=False,
        evidence="one folder per class",
        control=2 if has_control else None,
        body="fedcba98" * 8 if key.get("schema", SCHEMA) >= 5 else "",
    )


def small_importances() -> list[ClassImportance]:
    """For two of the three classes; "library" has no images."""
    return [
        importance(0, "beach", 12, [0.5, -0.25, 0.125, 9.0, 9.0, -1.0]),
        importance(1, "street", 3, [-0.5, 0.25, 0.0, 9.0, 9.0, 2.0]),
    ]


def importance(index: int, label: str, images: int, alphas: Sequence[float]) -> ClassImportance:
    """Contributions are the alphas in reverse."""
    return ClassImportance(index, label, images, np.array(alphas, float), np.array(alphas[::-1], float))


def with_statistics(importance: ClassImportance) -> ClassImportance:
    """The same with statistics, whose values do not matter but differ."""
    lits = importance.alphas + 2 / 3
    arrays = (importance.alphas**2, importance.contributions**2 + 1 / 3, lits, lits**2 + 1)
    return replace(importance, **dict(zip(STATISTICS, arrays, strict=True)))


def same(found: ClassImportance | None, wanted: ClassImportance) -> bool:
    """Equality bit for bit, which arrays do not have."""
    return (
        found is not None
        and (found.index, found.label, found.images) == (wanted.index, wanted.label, wanted.images)
        and found.alphas.tobytes() == wanted.alphas.tobytes()
        and found.contributions.tobytes() == wanted.contributions.tobytes()
        and [array.tobytes() for array in found.statistics] == [array.tobytes() for array in wanted.statistics]
        and {array.dtype for array in (*found.means, *found.statistics)} == {np.dtype(np.float64)}
    )


counts = st.integers(0, 2**62)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
reals = st.floats(allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)
means = st.floats(-1e6, 1e6)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    side = st.integers(0, 3) | counts
    return Layer(draw(texts), draw(st.integers(1, 5)), draw(side), draw(side), draw(texts))


@st.composite
def supports(draw: st.DrawFn) -> tuple[ConceptSupport, ...]:
    numbers = sorted(draw(st.sets(st.integers(1, 2**40), max_size=5)))
    categories = st.sampled_from(["scene", "object", "color"])
    names = st.sampled_from(["sky", "sky-s", "red-c", "Traffic_Light"]) | texts
    return tuple(
        ConceptSupport(Concept(number, draw(names), draw(categories)), draw(counts), draw(counts)) for number in numbers
    )


@st.composite
def units(draw: st.DrawFn, number: int, concepts: tuple[ConceptSupport, ...], area: int | None) -> Unit:
    """A unit; it may have evidence if the ``area`` of the layer's map is given."""
    pixels = st.integers(0, 50) | counts
    of = st.sampled_from([support.concept for support in concepts]) if concepts else st.nothing()
    truth = st.none() if area is None else st.none() | st.builds(Truth, counts, counts, counts, counts)
    overlap = st.builds(Overlap, of, st.integers(0, 5), pixels, st.integers(5, 50) | counts, counts, truth)
    shown = st.lists(of, max_size=3 if concepts else 0).map(tuple)
    exemplar = st.builds(Exemplar, texts, counts, reals, counts, counts, shown)
    overlaps = draw(st.lists(overlap, max_size=4 if concepts else 0))
    exemplars = draw(st.lists(exemplar, max_size=3))
    evidence = None if area is None else draw(st.none() | evidences([entry.concept for entry in concepts], area))
    threshold, found = draw(reals), ()
    if area is not None and concepts:
        lengths = draw(st.sets(st.sampled_from([2, 3])))
        found = tuple(draw(compositions(of, length, area)) for length in sorted(lengths))
    return Unit(number, threshold, tuple(overlaps), tuple(exemplars), evidence, found)


@st.composite
def compositions(draw: st.DrawFn, concepts: st.SearchStrategy[Concept], length: int, area: int) -> Composition:
    steps = st.lists(st.tuples(st.sampled_from(OPERATORS), concepts), min_size=length - 1, max_size=length - 1)
    areas = st.builds(FormulaAreas, counts, counts, counts)
    return Composition(
        Formula(draw(concepts), tuple(draw(steps))),
        draw(areas),
        draw(areas),
        (draw(finite), draw(finite)),
        draw(finite),
        draw(finite),
        draw(st.builds(Truth, counts, counts, counts, counts)),
        quarters=draw(by_strength),
        lit_map=draw(lit_maps(area)),
    )


by_strength = st.lists(st.builds(Quarter, finite, counts, counts), max_size=4).map(tuple)


def lit_maps(area: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Empty, or a number for each cell where there are not too many."""
    cells = st.just([]) if area > 9 else st.just([]) | st.lists(finite, min_size=area, max_size=area)
    return cells.map(tuple)


@st.composite
def evidences(draw: st.DrawFn, concepts: list[Concept], area: int) -> Evidence:
    interval = st.tuples(finite, finite)
    rivals = st.lists(st.sampled_from(concepts), max_size=2) if concepts else st.just([])
    return Evidence(
        *(draw(finite) for _ in range(3)),
        iou=draw(interval),
        margin=draw(interval),
        runners_up=tuple(draw(rivals)),
        quarters=draw(by_strength),
        lit_map=draw(lit_maps(area)),
    )


@st.composite
def dissections(draw: st.DrawFn) -> Dissection:
    """Any dissection that a store of the newest schema must keep; ranks need not follow IoU."""
    layer, concepts = draw(layers()), draw(supports())
    draws = draw(st.just(0) | counts)
    area = layer.height * layer.width if draws else None
    return Dissection(
        layer=layer,
        quantile=draw(reals) + 0.0,  # part of the key, and SQLite keeps no negative zero
        min_images=draw(counts),
        images=draw(counts),
        pixels=draw(counts),
        concepts=concepts,
        units=tuple(draw(units(number, concepts, area)) for number in range(layer.units)),
        draws=draws,
    )


@st.composite
def published(draw: st.DrawFn) -> tuple[Run, Dissection, list[ClassImportance]]:
    """A run with its dissection and the importances of some of its classes, of a schema that keeps all of it."""
    dissection = draw(dissections())
    shows = any(exemplar.concepts for unit in dissection.units for exemplar in unit.exemplars)
    composed = any(unit.compositions for unit in dissection.units)
    oldest = SCHEMA if composed else 4 if shows else NEWEST_DIGESTED if dissection.draws else OLDEST_SCHEMA
    schema = draw(st.integers(oldest, SCHEMA))
    plain = st.none() | st.booleans() | st.integers() | reals.filter(np.isfinite) | texts
    run = replace(
        run_of(dissection, network=draw(texts), preprocessing=draw(texts), evidence=draw(texts), schema=schema),
        source=draw(st.dictionaries(texts, plain | st.lists(plain, max_size=3), max_size=3)),
        classes=tuple(draw(st.lists(texts, max_size=4))),
        constant_alphas=draw(st.booleans()),
        licence=draw(texts) if schema > OLDEST_SCHEMA else "",
    )
    chosen = draw(st.sets(st.sampled_from(range(len(run.classes))))) if run.classes else set()
    alphas = st.lists(means, min_size=run.layer.units, max_size=run.layer.units)
    plainly = [importance(i, run.classes[i], draw(counts), draw(alphas)) for i in sorted(chosen)]
    has_statistics = [schema > OLDEST_SCHEMA and draw(st.booleans()) for _ in plainly]
    return (
        run,
        dissection,
        [with_statistics(one) if more else one for one, more in zip(plainly, has_statistics, strict=True)],
    )


def wide_dissection(units: int) -> Dissection:
    """Many rows: every unit overlaps every one of the concepts."""
    small = small_dissection()
    concepts = tuple(ConceptSupport(Concept(n, f"concept {n}", "object"), 20, 20) for n in range(1, 21))
    return replace(
        small,
        layer=replace(small.layer, units=units),
        concepts=concepts,
        units=tuple(
            Unit(k, k / 7, tuple(overlap(support.concept, 25 - n) for n, support in enumerate(concepts)), ())
            for k in range(units)
        ),
    )


def flat_importances(dissection: Dissection) -> list[ClassImportance]:
    return [importance(0, "beach", 12, [1.0] * dissection.layer.units)]
