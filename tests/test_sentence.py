"""What the sentence says, and what it does not, for every kind of ranked unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dissection.vocabulary import Concept, UnitName
from neuronexplain.explanation import Explanation
from neuronexplain.sentence import enumerate_words, percent, say
from neuronexplain.vocabulary import RankedUnit, Score


def unit(number: int, name: str | None, *, active: bool, category: str = "object") -> RankedUnit:
    named = UnitName(number, Concept(number + 1, name, category), 0.1, 20) if name else None
    return RankedUnit(number, 0.1, 0.1, named, active)


def explanation(top, bottom, *, active=None, target=("beach", 0.98), constant=False, rank_by="alpha") -> Explanation:
    seen = {ranked.name.concept.spoken for ranked in (*top, *bottom) if ranked.name and ranked.active}
    prediction = Score("beach", 0, 0.98, 5.0)
    other = Score(target[0], 0 if target[0] == "beach" else 1, target[1], 1.0)
    return Explanation(
        image="x.jpg",
        prediction=prediction,
        target=other,
        top=tuple(top),
        bottom=tuple(bottom),
        rank_by=rank_by,
        among="all",
        passed_over=(),
        active_concepts=frozenset(active if active is not None else seen),
        min_iou=0.05,
        constant_alpha=constant,
        photograph=Image.new("RGB", (2, 2)),
        heatmap=np.zeros((2, 2), np.float32),
        masks={},
    )


def test_everything_at_once():
    top = [unit(0, "sand", active=True), unit(1, "sea", active=True), unit(2, "sand", active=True)]
    top += [unit(3, None, active=True), unit(4, "umbrella", active=False)]
    bottom = [unit(5, "bed", active=False), unit(6, "lamp", active=False), unit(7, "sky", active=True)]
    assert say(explanation(top, bottom)) == (
        "The network says beach (98%) because its neurons for sand and sea respond, and there is no bed or lamp. "
        "Its neuron for sky responds too, which speaks against beach. "
        "Its neuron for umbrella would speak for it too, but stays silent. "
        "1 of the 8 strongest neurons has no name."
    )


def test_only_absence():
    said = say(explanation([], [unit(0, "sky", active=False), unit(1, "road", active=False)]))
    assert said == "The network says beach (98%) because there is no sky or road."


def test_absence_is_not_said_where_another_unit_of_the_concept_is_active():
    said = say(explanation([unit(9, "sand", active=True)], [unit(0, "sky", active=False)], active={"sky", "sand"}))
    assert said == "The network says beach (98%) because its neuron for sand responds."


def test_a_concept_on_both_sides_pulls_both_ways():
    said = say(explanation([unit(0, "sky", active=True)], [unit(1, "sky", active=True)]))
    assert "pull both ways" in said
    assert said == "The network says beach (98%); no concept speaks for it alone. Its neurons for sky pull both ways."


def test_silent_on_both_sides_is_not_spoken_of():
    said = say(explanation([unit(0, "sky", active=False)], [unit(1, "sky", active=False)]))
    assert "sky" not in said


def test_nothing_has_a_name():
    said = say(explanation([unit(0, None, active=True)], [unit(1, None, active=True)]))
    assert said == (
        "The network says beach (98%); none of the neurons that speak most for it has a name. "
        "2 of the 2 strongest neurons have no name."
    )


def test_nothing_speaks_for_it():
    assert say(explanation([], [])) == "The network says beach (98%); no neuron speaks for it."
    silent = say(explanation([unit(0, "sand", active=False)], [], active={"sand"}))
    assert silent == "The network says beach (98%); the neurons that speak most for it and have a name stay silent."


def test_another_target():
    said = say(explanation([unit(0, "lamp", active=True)], [unit(1, "sky", active=False)], target=("hotel", 0.004)))
    assert said == (
        "The network says beach (98%) and gives hotel under 1%; what speaks for hotel is that its neuron for lamp "
        "responds and that there is no sky."
    )


def test_constant_alphas_are_said_where_they_rank():
    ranked = [unit(0, "sand", active=True)]
    assert "alike in every image" in say(explanation(ranked, [], constant=True))
    assert "alike in every image" not in say(explanation(ranked, [], constant=True, rank_by="contribution"))


def test_textures_scenes_and_colours_read_as_english():
    top = [unit(0, "striped", active=True, category="texture"), unit(1, "street-s", active=True, category="scene")]
    top.append(unit(2, "red-c", active=True, category="color"))
    assert "its neurons for striped texture, street scenery and red respond." in say(explanation(top, []))


@pytest.mark.parametrize(
    ("words", "listed"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_lists(words, listed):
    assert enumerate_words(words, "or") == listed


@given(st.floats(0, 1))
def test_a_percentage_never_claims_certainty(probability):
    assert percent(probability) not in {"0%", "100%"}


NAMES = st.sampled_from(["sky", "sea", "bed", None])


@given(st.lists(st.tuples(NAMES, st.booleans()), max_size=5), st.lists(st.tuples(NAMES, st.booleans()), max_size=5))
def test_no_claim_beyond_the_evidence(top, bottom):
    top_units = [unit(number, name, active=active) for number, (name, active) in enumerate(top)]
    bottom_units = [unit(number + 5, name, active=active) for number, (name, active) in enumerate(bottom)]
    made = explanation(top_units, bottom_units)
    said = say(made)
    reason = said.split(". ")[0]
    absent = reason.partition("there is no ")[2]
    for name in ("sky", "sea", "bed"):
        if name in absent:
            assert name not in made.active_concepts
            assert (name, False) in bottom
        if name in reason.partition("because its neuron")[2].partition("there is no")[0]:
            assert (name, True) in top
