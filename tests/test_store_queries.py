"""Queries by SQL equal sums taken in plain Python from the values that were published."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
import store_cases as cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import unchecked
from sqlalchemy import event

from db import ConceptNotFoundError, NameStore, Run, StoreError
from dissection.errors import ClassNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from db import ClassImportance, RankBy
    from dissection.vocabulary import Dissection

where = cases.where


@pytest.fixture
def small(where: str) -> Iterator[tuple[NameStore, Run]]:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store:
        # runs before and after it, whose rows must not be counted
        store.publish(cases.run_of(dissection, network="before"), dissection, cases.small_importances())
        run = store.publish(cases.run_of(dissection), dissection, cases.small_importances())
        store.publish(cases.run_of(dissection, network="after"), dissection, cases.small_importances())
        yield store, run


def test_concepts_of_a_class(small: tuple[NameStore, Run]) -> None:
    store, run = small
    found = store.concepts_of(run, 0)
    assert [(c.concept, c.units, c.alpha, c.contribution, c.iou, c.images) for c in found] == [
        (cases.SKY, (0, 2), 0.5 + 0.125, -1.0 + 9.0, 0.4, 11),
        (cases.GRASS, (1,), -0.25, 9.0, 0.3, 12),
        (cases.STREET, (5,), -1.0, 0.5, 0.6, 14),
    ]
    assert [c.concept for c in store.concepts_of(run, 1)] == [cases.STREET, cases.GRASS, cases.SKY]


def test_another_ranking_and_another_cut(small: tuple[NameStore, Run]) -> None:
    store, run = small
    assert [c.concept.name for c in store.concepts_of(run, 0, rank_by="contribution")] == ["grass", "sky", "street-s"]
    assert [c.units for c in store.concepts_of(run, 0, min_iou=0.06)] == [(0,), (1,), (5,)]
    assert [c.units for c in store.concepts_of(run, 0, min_iou=0.04)] == [(3,), (0, 2), (1,), (5,)]
    assert store.concepts_of(run, 0, min_iou=0.99) == []
    with unchecked(), pytest.raises(StoreError, match="cannot rank by 'beauty'"):
        store.concepts_of(run, 0, rank_by="beauty")  # type: ignore[arg-type]


def test_classes_for_a_concept(small: tuple[NameStore, Run]) -> None:
    store, run = small
    found = store.classes_for(run, "sky")
    assert [(c.index, c.label, c.images, c.alpha, c.contribution, c.units) for c in found] == [
        (0, "beach", 12, 0.625, 8.0, (0, 2)),
        (1, "street", 3, -0.5, 11.0, (0, 2)),
    ]
    assert [c.index for c in store.classes_for(run, "sky", rank_by="contribution")] == [1, 0]
    assert [c.units for c in store.classes_for(run, "sky", min_iou=0.06)] == [(0,), (0,)]


@pytest.mark.parametrize("typed", ["street", "STREET", "  Street ", "street-s"])
def test_concepts_are_taken_as_people_type_them(small: tuple[NameStore, Run], typed: str) -> None:
    store, run = small
    assert [c.units for c in store.classes_for(run, typed)] == [(5,), (5,)]


@pytest.mark.parametrize("typed", ["traffic light", "Traffic_Light", "traffic_light"])
def test_underscores_are_blanks(small: tuple[NameStore, Run], typed: str) -> None:
    store, run = small
    assert [c.units for c in store.classes_for(run, typed, min_iou=0.01)] == [(3,), (3,)]


def test_a_concept_without_a_unit_says_so(small: tuple[NameStore, Run]) -> None:
    store, run = small
    with pytest.raises(ConceptNotFoundError) as caught:
        store.classes_for(run, "traffic light")
    assert str(caught.value) == (
        f"concept 'traffic light' is in run {run.id}'s data (19 images), but names no unit at IoU 0.05; "
        "units are named, for instance, sky, grass, street"
    )


def test_an_unknown_concept_gets_near_names(small: tuple[NameStore, Run]) -> None:
    store, run = small
    with pytest.raises(ConceptNotFoundError, match=r"no concept of run \d+ is called 'Gras'; .*instance, grass$"):
        store.classes_for(run, "Gras")
    with pytest.raises(ConceptNotFoundError, match="no unit has a name at that IoU"):
        store.classes_for(run, "Gras", min_iou=0.99)


@pytest.mark.parametrize("typed", ["' OR 1=1 --", "%", "s_y", "", '"; DROP TABLE runs; --'])
def test_what_is_typed_is_never_sql(small: tuple[NameStore, Run], typed: str) -> None:
    store, run = small
    with pytest.raises(ConceptNotFoundError):
        store.classes_for(run, typed)
    assert len(store.runs()) == 3


def test_a_class_without_evidence_says_so(small: tuple[NameStore, Run]) -> None:
    store, run = small
    with pytest.raises(StoreError, match="holds no evidence for class 'library'"):
        store.concepts_of(run, 2)
    for index in (3, -1):
        with pytest.raises(ClassNotFoundError, match=f"no class of index {index}"):
            store.concepts_of(run, index)


@pytest.mark.parametrize("rank_by", ["alpha", "contribution"])
def test_concepts_of_a_class_are_read_from_indexes_alone(tmp_path: Path, rank_by: RankBy) -> None:
    asked: list[tuple[str, Any]] = []
    dissection = cases.wide_dissection(300)
    with NameStore.create(tmp_path / "names.db") as store:
        run = store.publish(cases.run_of(dissection), dissection, cases.flat_importances(dissection))
        event.listen(store._engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
        assert len(store.concepts_of(run, 0, rank_by=rank_by)) == 1
        with store._engine.connect() as connection:
            plans = [
                step.detail
                for statement, values in tuple(asked)
                if statement.startswith("SELECT")
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    assert len(plans) == 5  # the run, the class, its importances, and two stretches of one index each: no sorting
    assert [plan for plan in plans if not plan.startswith("SEARCH")] == []
    assert any("COVERING INDEX best_overlaps (run=?)" in plan for plan in plans)


@given(
    published=cases.published(),
    min_iou=st.sampled_from([0.0, 0.05, 0.5]),
    rank_by=st.sampled_from(["alpha", "contribution"]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_queries_equal_a_slow_loop(
    where: str, published: tuple[Run, Dissection, list[ClassImportance]], min_iou: float, rank_by: RankBy
) -> None:
    run, dissection, importances = published
    with NameStore.create(where) as store:
        kept = store.publish(run, dissection, importances)
        try:
            for importance in importances:
                found = store.concepts_of(kept, importance.index, rank_by=rank_by, min_iou=min_iou)
                assert [(c.concept, c.units, c.alpha, c.contribution, c.iou, c.images) for c in found] == slow_concepts(
                    dissection, importance, rank_by, min_iou
                )
            for asked in {shouted(name.concept.spoken) for name in dissection.names(min_iou).values()}:
                classes = store.classes_for(kept, asked, rank_by=rank_by, min_iou=min_iou)
                assert [
                    (c.index, c.label, c.images, c.alpha, c.contribution, c.units) for c in classes
                ] == slow_classes(dissection, importances, asked, rank_by, min_iou)
        finally:
            store.delete(kept)


def shouted(name: str) -> str:
    return name.upper() if name.isascii() else name  # "I" is the capital of two letters


def slow_concepts(dissection: Dissection, importance: ClassImportance, rank_by: RankBy, min_iou: float) -> list[object]:
    found = []
    for support in dissection.concepts:
        names = [unit.name(min_iou) for unit in dissection.units]
        mine = [name for name in names if name is not None and name.concept == support.concept]
        if mine:
            units = tuple(name.unit for name in mine)
            sums = exact(importance, units)
            found.append((support.concept, units, *sums, max(name.iou for name in mine), mine[0].images))
    return sorted(found, key=lambda row: (-row[2 if rank_by == "alpha" else 3], row[0].number))


def slow_classes(
    dissection: Dissection, importances: list[ClassImportance], asked: str, rank_by: RankBy, min_iou: float
) -> list[object]:
    names = dissection.names(min_iou).values()
    units = tuple(n.unit for n in names if typed(n.concept.spoken) == typed(asked) or n.concept.name == asked)
    found = [(i.index, i.label, i.images, *exact(i, units), units) for i in importances]
    return sorted(found, key=lambda row: (-row[3 if rank_by == "alpha" else 4], row[0]))


def typed(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def exact(importance: ClassImportance, units: tuple[int, ...]) -> tuple[float, float]:
    """Sums without rounding, rounded once."""
    columns = (importance.alphas, importance.contributions)
    alpha, contribution = (
        float(sum((Fraction(float(column[unit])) for unit in units), Fraction(0))) for column in columns
    )
    return alpha, contribution
