"""Queries by SQL equal sums taken in plain Python from the values that were published."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
import store_cases as cases
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from shapes import unchecked
from sqlalchemy import event

import db
from db import ConceptNotFoundError, NameStore, Run, StoreError
from db.excess import LitContributions
from dissection.errors import ClassNotFoundError
from neuronexplain.vocabulary import ClassRankBy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from db import ClassImportance, Excess, RankBy
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
        "choose a name of its units, such as sky, grass, street"
    )


def test_an_unknown_concept_gets_near_names(small: tuple[NameStore, Run]) -> None:
    store, run = small
    with pytest.raises(
        ConceptNotFoundError,
        match=r"no concept of run \d+ is called 'Gras'; choose a name of its units, such as grass$",
    ):
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


def lit_importances() -> list[ClassImportance]:
    """Three classes; units 0 and 2 (sky) are lit for the beach, unit 1 (grass) for the street, unit 5 for all alike."""
    rows = [
        ("beach", 12, [0.5, 0.0, 0.3, 0, 0, 0.2]),
        ("street", 3, [0.1, 0.6, -0.1, 0, 0, 0.2]),
        ("library", 1, [0.0, 0.0, 0.1, 0, 0, 0.2]),
    ]
    return [
        replace(
            cases.importance(index, label, images, [0.5, 0.4, -0.9, 0, 0, 0.1]),
            alpha_squares=np.ones(6),
            contribution_squares=np.ones(6),
            lits=np.array(lits, float),
            lit_squares=np.array(lits, float) ** 2 + 0.01 * np.arange(6),
        )
        for index, (label, images, lits) in enumerate(rows)
    ]


@pytest.fixture
def lit(where: str) -> Iterator[tuple[NameStore, Run]]:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store:
        store.publish(cases.run_of(dissection, network="before"), dissection, cases.small_importances())
        yield store, store.publish(cases.run_of(dissection), dissection, lit_importances())


def test_concepts_are_ranked_by_what_lit_cells_contribute_above_the_average_class(lit: tuple[NameStore, Run]) -> None:
    store, run = lit
    found = store.concepts_of(run, 0)
    assert found == store.concepts_of(run, 0, rank_by="lit")
    assert [(answer.concept, answer.units) for answer in found] == [
        (cases.SKY, (0, 2)),
        (cases.STREET, (5,)),
        (cases.GRASS, (1,)),
    ]
    assert [answer.lit.value for answer in found if answer.lit] == pytest.approx([0.4 - 0.15, 0, -0.2])
    assert [answer.alpha for answer in found] == [0.5 - 0.9, 0.1, 0.4]
    assert [answer.concept for answer in store.concepts_of(run, 0, rank_by="alpha")] == [
        cases.GRASS,
        cases.STREET,
        cases.SKY,
    ]


def test_an_interval_adds_up_units_as_correlated_and_classes_as_independent(lit: tuple[NameStore, Run]) -> None:
    store, run = lit
    beach, street, library = store.classes_for(run, "sky")
    assert [found.label for found in (beach, street, library)] == ["beach", "library", "street"]
    half = math.sqrt(0.02) / 2  # unit 0 does not vary
    errors = [half / math.sqrt(11), half / math.sqrt(2), half * math.sqrt((12 + 3) / (11 + 2))]
    assert beach.lit is not None
    low, high = beach.lit.interval or (0, 0)
    assert (low + high) / 2 == pytest.approx(beach.lit.value)
    parts = [(2 / 3 * errors[0]) ** 2, (errors[1] / 3) ** 2, (errors[2] / 3) ** 2]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 11 + parts[1] ** 2 / 2 + parts[2] ** 2 / 13)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, min(freedom, 11)) * math.sqrt(sum(parts)))
    assert [found.lit and found.lit.images for found in (beach, street, library)] == [12, 1, 3]
    assert [found.is_thin for found in (beach, street, library)] == [False, True, True]
    assert [found.lit is not None and found.lit.interval is None for found in (beach, street, library)] == [
        False,
        True,
        False,
    ]


def test_intervals_hold_what_they_say() -> None:
    """Means of classes are drawn again and again; units share most of their noise."""
    generator = np.random.default_rng(0)
    truth, sizes, units = generator.normal(size=(4, 3)), (5, 12, 30, 2), [0, 1, 2]
    excess = truth.mean(1) - truth.mean()
    held = []
    for _ in range(400):
        images = [
            truth[index] + generator.normal(size=(size, 1)) + 0.3 * generator.normal(size=(size, 3))
            for index, size in enumerate(sizes)
        ]
        means = np.array([rows.mean(0) for rows in images])
        squares = np.array([(rows**2).mean(0) for rows in images])
        found = LitContributions(range(4), sizes, means, squares).excesses(units)
        held.append(
            [low <= excess[index] <= high for index in found for low, high in [found[index].interval or (0, 0)]]
        )
    assert np.mean(held, 0).min() > 0.93  # 4,000 draws gave .937 at 30 images, beside a class of 2, and more elsewhere


def test_a_run_without_statistics_is_ranked_by_alpha_and_cannot_be_ranked_by_lit(small: tuple[NameStore, Run]) -> None:
    store, run = small
    assert store.concepts_of(run, 0) == store.concepts_of(run, 0, rank_by="alpha")
    assert {answer.lit for answer in store.classes_for(run, "sky")} == {None}
    for ask in (
        lambda: store.concepts_of(run, 0, rank_by="lit"),
        lambda: store.classes_for(run, "sky", rank_by="lit"),
    ):
        with pytest.raises(StoreError, match=r"keeps no class statistics, .*: build it again with draws, or rank by"):
            ask()


def test_the_command_line_offers_the_same_rankings() -> None:
    assert get_args(ClassRankBy) == get_args(db.RankBy)


def test_units_of_a_name(small: tuple[NameStore, Run]) -> None:
    store, run = small
    assert store.units_named(run, " SKY") == [0, 2]
    assert store.units_named(run, "sky", min_iou=0.06) == [0]
    with pytest.raises(ConceptNotFoundError, match=r"no concept of run \d+ is called 'tiger'; choose a name"):
        store.units_named(run, "tiger")


def test_proven_names_have_an_iou_and_a_q() -> None:
    unit = cases.proven_dissection().units[0]
    assert unit.evidence is not None
    sure, unsure = (replace(unit, evidence=replace(unit.evidence, q=q)) for q in (0.05, 0.0501))
    assert sure.is_proven()
    assert not sure.is_proven(min_iou=0.41)
    assert not sure.is_proven(max_q=0.049)
    assert not unsure.is_proven()
    assert not replace(unit, evidence=None).is_proven()
    assert not replace(sure, overlaps=()).is_proven()


@pytest.mark.parametrize("rank_by", ["alpha", "contribution"])
def test_concepts_of_a_class_are_read_from_indexes_alone(tmp_path: Path, rank_by: RankBy) -> None:
    asked: list[tuple[str, Any]] = []
    dissection = cases.wide_dissection(300)
    with NameStore.create(tmp_path / "names.db") as store:
        run = store.publish(cases.run_of(dissection), dissection, cases.flat_importances(dissection))
        store.concepts_of(run, 0, rank_by=rank_by)  # the first question finds that the run is as it was stored
        event.listen(store._engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
        assert len(store.concepts_of(run, 0, rank_by=rank_by)) == 1
        with store._engine.connect() as connection:
            plans = [
                step.detail
                for statement, values in tuple(asked)
                if statement.startswith("SELECT")
                for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
    # the run, the class, its importances and statistics, two stretches of one index each, and the same of all classes
    assert len(plans) == 6 + 2
    assert [plan for plan in plans if not plan.startswith("SEARCH")] == []  # no sorting
    assert any("COVERING INDEX best_overlaps (run=?)" in plan for plan in plans)


@given(
    published=cases.published(),
    min_iou=st.sampled_from([0.0, 0.05, 0.5]),
    rank_by=st.sampled_from([None, "alpha", "contribution"]),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_queries_equal_a_slow_loop(
    where: str, published: tuple[Run, Dissection, list[ClassImportance]], min_iou: float, rank_by: RankBy | None
) -> None:
    run, dissection, importances = published
    assume(run.classes)
    with NameStore.create(where) as store:
        kept = store.publish(run, dissection, importances)
        try:
            if rank_by is None:
                rank_by = "lit" if keeps_statistics(importances) else "alpha"
                check_excesses(store, kept, dissection, importances, min_iou)
                if rank_by == "lit":
                    return
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


def keeps_statistics(importances: list[ClassImportance]) -> bool:
    return bool(importances) and all(importance.statistics for importance in importances)


def check_excesses(
    store: NameStore, run: Run, dissection: Dissection, importances: list[ClassImportance], min_iou: float
) -> None:
    """Answers without a ranking are ranked by what lit cells contribute, which a slow loop finds too."""
    for importance in importances:
        answers = store.concepts_of(run, importance.index, min_iou=min_iou)
        for answer in answers:
            wanted = slow_excess(importances, importance.index, answer.units)
            assert agrees(answer.lit, wanted if keeps_statistics(importances) else None)
        values = [answer.lit.value if answer.lit else answer.alpha for answer in answers]
        assert values == sorted(values, reverse=True)
    for name in {name.concept.name for name in dissection.names(min_iou).values()}:
        classes = store.classes_for(run, name, min_iou=min_iou)
        for found in classes:
            wanted = slow_excess(importances, found.index, found.units)
            assert agrees(found.lit, wanted if keeps_statistics(importances) else None)
            assert found.is_thin == (found.images < 10)
        values = [found.lit.value if found.lit else found.alpha for found in classes]
        assert values == sorted(values, reverse=True)


def agrees(found: Excess | None, wanted: tuple[float, float | None, int] | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    value, half, images = wanted
    assert found.value == pytest.approx(value, rel=1e-9, abs=1e-3)
    assert (found.interval is None) == (half is None)
    if found.interval is not None and half is not None:
        assert found.interval == pytest.approx((value - half, value + half), rel=1e-6, abs=1e-3)
    return found.images == images


def slow_excess(
    importances: list[ClassImportance], index: int, units: tuple[int, ...]
) -> tuple[float, float | None, int] | None:
    """The excess of units for a class, half its interval and the images behind it, from the text of `db.excess`."""
    if not keeps_statistics(importances):
        return None
    classes = len(importances)
    freedom = sum(one.images - 1 for one in importances if one.images > 1)
    value, errors = 0.0, dict.fromkeys((one.index for one in importances), 0.0)
    for unit in units:
        lits = {one.index: float(one.lits[unit]) for one in importances if one.lits is not None}
        deviations = {
            one.index: max(float(one.lit_squares[unit]) - lits[one.index] ** 2, 0.0)
            for one in importances
            if one.lit_squares is not None
        }
        value += (lits[index] - sum(lits.values()) / classes) / len(units)
        within = sum(one.images * deviations[one.index] for one in importances if one.images > 1) / max(freedom, 1)
        for one in importances:
            of_mean = deviations[one.index] / (one.images - 1) if one.images > 1 else within
            errors[one.index] += math.sqrt(of_mean) / len(units)
    others = sum(error**2 for other, error in errors.items() if other != index)
    error = math.sqrt((1 - 1 / classes) ** 2 * errors[index] ** 2 + others / classes**2)
    images = {one.index: one.images for one in importances}
    doubt = 0.0
    for other, of_class in errors.items():
        part = of_class**2 * ((1 - 1 / classes) ** 2 if other == index else 1 / classes**2)
        doubt += part**2 / (images[other] - 1 if images[other] > 1 else max(freedom, 1))
    pooled = min(error**4 / doubt, images[index] - 1) if doubt > 0 else 1
    half = error * stats.t.ppf(0.975, max(pooled, 1))
    return value, half if images[index] > 1 else None, images[index]


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
