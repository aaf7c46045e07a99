"""An explanation as JSON: the promised shape, and nothing that strict JSON cannot hold."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapes import unchecked

from dissection.vocabulary import Composition, Concept, Evidence, Formula, FormulaAreas, Truth, UnitName
from neuronexplain.answer import ExemplarPicture, MethodMap
from neuronexplain.explanation import Explanation
from neuronexplain.methods import METHODS
from neuronexplain.serialise import to_json
from neuronexplain.vocabulary import RankedUnit, Rules, Score

POOL = UnitName(7, Concept(3, "swimming_pool-s", "scene"), iou=0.25, images=12)


EVIDENCE = Evidence(0.005, 0.01, 0.97, (0.2, 0.3), (0.1, 0.15), (Concept(4, "sea", "object"),), (), (0.5,))


COUNTS = ("lit_images", "hit_images", "dark_images", "missed_images")


NO_FORMULA = dict.fromkeys(("formula", "formula_iou", "formula_gain_low", "formula_gain_high", "formula_q"))


def unnamed(
    unit: int, alpha: float, contribution: float, effect: float, potential: float | None, peak: float
) -> object:
    """A unit without a name that is not lit."""
    nothing = ("name", "category", "iou", "meaning", "truth", "absence", "excess", *COUNTS, "evidence", "clause")
    numbers = {"unit": unit, "alpha": alpha, "contribution": contribution, "effect": effect, "potential": potential}
    return {**numbers, "lit": False, "peak": peak, **dict.fromkeys(nothing), "unspoken": "no name", **NO_FORMULA}


@pytest.fixture(autouse=True)
def _sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuronexplain.answer.say", lambda explanation: f"About {explanation.target.label}.")


def explanation(**changes: Any) -> Explanation:
    made = Explanation(
        image="photos/a.jpg",
        prediction=Score("beach", 2, 0.75, 4.5),
        target=Score("forest", 1, 0.125, 2.0),
        top=(RankedUnit(7, 0.5, 1.5, 3.0, None, True, 2.5, POOL, 0.75, Truth(20, 15, 80, 4), EVIDENCE, "responds"),),
        bottom=(RankedUnit(0, -0.25, 0.0, 0.0, None, False, 0.0),),
        rules=Rules(among="named"),
        passed_over=(RankedUnit(4, 0.75, 1.0, 2.0, -0.5, False, 0.5),),
        has_evidence=True,
        loss=1.25,
        constant_alpha=False,
        photograph=Image.new("RGB", (4, 4)),
        heatmap=np.zeros((2, 2), np.float32),
        masks={},
    )
    return replace(made, **changes)


def test_other_methods_are_named_with_the_paths_of_their_pictures() -> None:
    found = tuple(MethodMap(METHODS[name], np.zeros((1, 2, 2), np.float32)) for name in ("counterfactual", "cam"))
    value = to_json(explanation(others=found), heatmap=None, methods={"counterfactual": "out/counterfactual/a.png"})
    assert value["methods"] == [
        {
            "name": "counterfactual",
            "title": "Counterfactual",
            "reference": "Eq. 12",
            "picture": "out/counterfactual/a.png",
        },
        {"name": "cam", "title": "CAM", "reference": "Zhou et al. 2016; Sec. 3.1", "picture": None},
    ]


def test_a_unit_has_its_checked_formula_beside_its_name() -> None:
    formula, truth = Formula(POOL.concept, (("and not", Concept(9, "sea", "object")),)), Truth(20, 12, 80, 3)
    composition = Composition(
        formula, FormulaAreas(6, 10, 12), FormulaAreas(4, 10, 10), (0.01, 0.07), 0.001, 0.02, truth
    )
    (top,) = explanation().top
    value = to_json(explanation(top=(replace(top, composition=composition),)), heatmap=None)
    assert value["top"] == [
        {
            **to_json(explanation(), heatmap=None)["top"][0],  # type: ignore[index]
            "meaning": "swimming pool but not sea",
            "formula": "swimming pool but not sea",
            "formula_iou": 0.25,
            "formula_gain_low": 0.01,
            "formula_gain_high": 0.07,
            "formula_q": 0.02,
        }
    ]


def test_the_whole_value() -> None:
    pictures = (ExemplarPicture("0012.jpg", 4.25, b"", 0.5, 0.5, (POOL.concept,)),)
    assert to_json(explanation(exemplars={7: pictures}), heatmap="out/a.png") == {
        "image": "photos/a.jpg",
        "prediction": {"label": "beach", "index": 2, "probability": 0.75, "logit": 4.5},
        "target": {"label": "forest", "index": 1, "probability": 0.125, "logit": 2.0},
        "classes": [],
        "true_class": None,
        "question": None,
        "sentence": "About forest.",
        "loss": 1.25,
        "rank_by": "alpha",
        "among": "named",
        "min_iou": 0.05,
        "max_q": 0.05,
        "min_truth": 0.5,
        "has_evidence": True,
        "labels": None,
        "constant_alpha": False,
        "noun": "neuron",
        "left_over": None,
        "top": [
            {
                "unit": 7,
                "alpha": 0.5,
                "effect": 3.0,
                "contribution": 1.5,
                "potential": None,
                "lit": True,
                "peak": 2.5,
                "name": "swimming pool",
                "category": "scene",
                "iou": 0.25,
                "meaning": "swimming pool",
                "truth": 0.75,
                "absence": None,
                "excess": None,
                "lit_images": 20,
                "hit_images": 15,
                "dark_images": 80,
                "missed_images": 4,
                "evidence": {
                    "p": 0.005,
                    "q": 0.01,
                    "kept": 0.97,
                    "iou_interval": [0.2, 0.3],
                    "margin_interval": [0.1, 0.15],
                    "runners_up": ["sea"],
                },
                "clause": "responds",
                "unspoken": None,
                **NO_FORMULA,
            }
        ],
        "bottom": [unnamed(0, -0.25, 0.0, 0.0, None, 0.0)],
        "passed_over": [unnamed(4, 0.75, 1.0, 2.0, -0.5, 0.5)],
        "exemplars": [
            {
                "unit": 7,
                "image": "0012.jpg",
                "activation": 4.25,
                "concepts": [{"name": "swimming pool", "category": "scene"}],
            }
        ],
        "heatmap": "out/a.png",
        "methods": [],
    }


def test_no_picture_is_null() -> None:
    assert to_json(explanation(), heatmap=None)["heatmap"] is None


@given(st.floats(), st.floats(), st.floats())
def test_every_number_survives_strict_json_or_is_null(alpha: float, contribution: float, logit: float) -> None:
    unit = RankedUnit(1, alpha, contribution, alpha, contribution, True, alpha)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neuronexplain.answer.say", lambda _: "")
        value = to_json(explanation(top=(unit,), target=Score("a", 0, 1.0, logit)), heatmap=None)
    again = json.loads(json.dumps(value, allow_nan=False))
    read = (again["top"][0]["alpha"], again["top"][0]["contribution"], again["target"]["logit"])
    assert read == tuple(x if math.isfinite(x) else None for x in (alpha, contribution, logit))


def test_numpys_numbers_and_undecodable_paths_are_plain_json() -> None:
    half, quarter = np.float32(0.5), np.float64(0.25)
    with unchecked():
        unit = RankedUnit(np.int64(3), half, quarter, half, quarter, np.bool_(True), half)  # type: ignore[arg-type]
        value = to_json(explanation(image="caf\udce9.jpg", top=(unit,), passed_over=(unit,)), heatmap=None)
    assert json.loads(json.dumps(value, allow_nan=False)) == value
