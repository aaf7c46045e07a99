"""What an import takes for possible: all that a dissection can find, by the engine's own functions, and no more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import store_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from sharing_cases import composed, proven, small

from db import ClassImportance, StoreError
from db.exchange.scrutiny import units
from db.exchange.scrutiny.importances import require_possible_importances
from db.exchange.scrutiny.preprocessing import preprocessing_problem
from db.exchange.scrutiny.rates import require_possible_rates
from db.exchange.scrutiny.whole_run import require_possible
from db.records import CONCEPT_IMAGES
from dissection.engine.chance import q_values
from dissection.engine.thresholds import strong_values
from dissection.errors import NetworkError
from dissection.networks.operations import RECTIFY
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import RECTIFIERS, Evidence, Exemplar, Layer, Precision, Unit


def test_rules_are_the_engine_s() -> None:
    assert set(RECTIFIERS) == set(RECTIFY) == set(units._GREATEST)
    assert get_args(Precision) == ("float32", "fast", "bfloat16")


@pytest.mark.parametrize("whole", [small, proven, composed])
def test_what_tests_share_is_possible(whole: Any) -> None:
    require_possible(whole())
    require_possible(whole(precision="bfloat16"))


sides = st.integers(-1, 3) | st.integers(1, 2**16)
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0.1, 1)


@given(
    st.fixed_dictionaries(
        {
            "size": st.tuples(sides, sides),
            "resize": sides | st.tuples(sides, sides),
            "mean": st.lists(numbers, min_size=1, max_size=3).map(tuple),
            "std": st.lists(numbers, min_size=1, max_size=3).map(tuple),
            "interpolation": st.sampled_from(["bilinear", "bicubic", "lanczos", "nearest", ""]),
            "channels": st.sampled_from([1, 3, 4]),
        }
    )
)
def test_a_preprocessing_s_text_is_what_a_preprocessing_takes(values: dict[str, Any]) -> None:
    try:
        text = Preprocessing(**values).canonical
    except NetworkError:
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        assert preprocessing_problem(text)
    else:
        assert preprocessing_problem(text) is None
        assert Preprocessing.from_canonical(text).canonical == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "null", "[]", "{}", "7", "[" * 10**5),
        cases.PREPROCESSING.replace("256", "true"),
        cases.PREPROCESSING.replace("256", "1e3"),
        cases.PREPROCESSING.replace("256", '"256"'),
        cases.PREPROCESSING.replace("256", "NaN"),
        cases.PREPROCESSING.replace("256", "[256]"),
        cases.PREPROCESSING.replace("256", "99999999"),
        cases.PREPROCESSING.replace("0.229", "0.0"),
        cases.PREPROCESSING.replace("0.229", "1e999"),
        cases.PREPROCESSING.replace("{", '{"more":1,'),
        cases.PREPROCESSING.replace(",", ", "),
    ],
)
def test_other_text_is_no_preprocessing(text: str) -> None:
    assert preprocessing_problem(text)


def test_the_usual_preprocessing_is_one() -> None:
    assert preprocessing_problem(cases.PREPROCESSING) is None
    assert preprocessing_problem(Preprocessing(channels=1, mean=(0.5,), std=(1,)).canonical) is None


def with_rates(p: np.ndarray, q: np.ndarray, has_evidence: np.ndarray) -> list[Unit]:
    def of(number: int) -> Evidence | None:
        values = (float(p[number]), float(q[number]), 1.0)
        return Evidence(*values, (0, 1), (0, 1), (), (), ()) if has_evidence[number] else None

    return [Unit(number, 0.0, (), (), of(number)) for number in range(len(p))]


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_rates_of_the_engine_are_possible_and_others_are_not(seed: int, count: int) -> None:
    dice = np.random.default_rng(seed)
    p = np.round(dice.random(count) ** 4, dice.integers(1, 6))  # with ties
    tested = dice.random(count) < 0.9
    p[~tested] = 1
    q = q_values(p, tested)
    has_evidence = dice.random(count) < 0.9
    require_possible_rates(with_rates(p, q, has_evidence), "")
    if has_evidence.all() and (p[tested] > 1e-3).any():
        for lie in (q * 0.5, q / 3 + 1e-9, np.where(q < 0.3, q * 3, q)):
            chosen = int(np.flatnonzero(p > 1e-3)[0])
            changed = np.array(q)
            changed[chosen] = lie[chosen]
            if tested.all() and (p < 1).all() and not np.isclose(changed, q, rtol=1e-6).all():
                with pytest.raises(StoreError, match=r"does not follow from the p of all units"):
                    require_possible_rates(with_rates(p, changed, has_evidence), "")


LAYER = Layer("rectify", 5, 4, 4)


def constant_world(seed: int, *, concept_images: bool = True) -> tuple[Any, list[float]]:
    """A run of rectified maps with constant alphas, as the engine would find it; and its thresholds."""
    dice = np.random.default_rng(seed)
    maps = np.maximum(dice.normal(-0.5, 1, (60, 5, 16)), 0) * dice.random(5)[:, None] * 9
    strong = strong_values(0.05, 60 * 16)
    thresholds = np.sort(maps.transpose(1, 0, 2).reshape(5, -1))[:, -strong - 1]
    classes = dice.integers(0, 3, 60)
    alphas = dice.normal(size=(3, 5))
    importances = []
    for index in range(3):
        seen = maps[classes == index]
        lit = np.where(seen > thresholds[:, None], seen, 0)
        contributions, lits = (values.mean((0, 2)) * alphas[index] for values in (seen, lit))
        importances.append(ClassImportance(index, str(index), len(seen), alphas[index], contributions, lits=lits))
    whole = small(evidence=CONCEPT_IMAGES if concept_images else "folder")
    dissected = tuple(
        Unit(unit, float(thresholds[unit]), (), (Exemplar("x", 0, float(maps[:, unit].max()), 0, 0),))
        for unit in range(5)
    )
    run = replace(whole.run, images=60, constant_alphas=True, key=replace(whole.run.key, quantile=0.05))
    dissection = replace(whole.dissection, layer=LAYER, units=dissected)
    return replace(whole, run=run, dissection=dissection, importances=tuple(importances)), thresholds.tolist()


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_thresholds_below_what_classes_show_are_refused(seed: int, concept_images: bool, has_lits: bool) -> None:
    whole, thresholds = constant_world(seed, concept_images=concept_images)
    if not has_lits:
        whole = replace(whole, importances=tuple(replace(one, lits=None) for one in whole.importances))
    require_possible_importances(whole)
    if not (concept_images or has_lits):
        return
    lies = (-50.0,) if not has_lits else (-50.0, -1.0)
    for lie in lies:
        lying = tuple(replace(unit, threshold=lie) for unit in whole.dissection.units)
        with pytest.raises(StoreError, match=rf"is not lit as often as its threshold of {lie:g} says"):
            require_possible_importances(replace(whole, dissection=replace(whole.dissection, units=lying)))
    assert min(thresholds) >= 0


@pytest.mark.parametrize("change", [{"images": 7}, {"pixels": 7}])
def test_names_of_another_tool_have_nothing_measured(change: dict[str, int]) -> None:
    whole = small()
    key = replace(whole.run.key, network="imported: vgg16", evidence="none")
    silent = tuple(replace(unit, threshold=float("inf"), exemplars=()) for unit in whole.dissection.units)
    run = replace(whole.run, key=key, images=0, pixels=0, body="")
    imported = replace(whole, run=run, importances=(), pictures={}, dissection=replace(whole.dissection, units=silent))
    require_possible(imported)
    for lie in (
        replace(imported, run=replace(run, **change)),
        replace(imported, dissection=whole.dissection),
        replace(imported, importances=whole.importances),
    ):
        with pytest.raises(StoreError, match="it is of another tool, but has images, thresholds"):
            require_possible(lie)
