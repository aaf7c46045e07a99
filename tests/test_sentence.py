"""What the sentence says, and what it does not, for every clause."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_clauses import EVIDENCE

from dissection.vocabulary import Concept, UnitName
from neuronexplain.answer import Contrast
from neuronexplain.clauses import persuasive
from neuronexplain.explanation import Explanation
from neuronexplain.phrases import enumerate_words, percent
from neuronexplain.sentence import nothing_to_say, say, say_contrast, say_unlabelled
from neuronexplain.vocabulary import Clause, RankedUnit, Rules, Score, Unspoken

CLAUSES = (*get_args(Clause), *get_args(Unspoken))


def unit(number: int, name: str | None, clause: str, *, truth: float | None = 0.8, category="object") -> RankedUnit:
    """A unit that has a clause."""
    named = UnitName(number, Concept(number + 1, name, category), 0.1, 20) if name else None
    lit = clause in {"responds", "against", "true too rarely", "unclear effect"}
    return RankedUnit(number, 0.1, 0.1, 0.1, None, lit, 1.0, named, truth if lit else None, None, EVIDENCE, clause)


def explanation(
    top, bottom, *, passed_over=(), loss=4.1, target=("beach", 0.98, 24.0), constant=False, evidence=True, **rules
) -> Explanation:
    label, probability, logit = target
    return Explanation(
        image="x.jpg",
        prediction=Score("beach", 0, 0.98, 24.0),
        target=Score(label, 0 if label == "beach" else 1, probability, logit),
        top=tuple(top),
        bottom=tuple(bottom),
        rules=Rules(**rules),
        passed_over=tuple(passed_over),
        has_evidence=evidence,
        loss=loss if persuasive((*top, *bottom)) else None,
        constant_alpha=constant,
        photograph=Image.new("RGB", (2, 2)),
        heatmap=np.zeros((2, 2), np.float32),
        masks={},
    )


def test_everything_at_once():
    top = [unit(0, "sand", "responds"), unit(1, "sea", "responds", truth=0.61), unit(2, "sand", "responds", truth=0.84)]
    top += [unit(4, "umbrella", "missed")]
    bottom = [unit(5, "bed", "absent"), unit(6, "lamp", "absent"), unit(7, "sky", "against", truth=0.5)]
    passed_over = [unit(8, None, "no name"), unit(9, "cup", "not lit"), unit(10, None, "no name")]
    assert say(explanation(top, bottom, passed_over=passed_over)) == (
        "The network says beach (98%) because its neurons for sand (84%) and sea (61%) respond, and there is no bed or "
        "lamp; without these neurons its score falls by 4.1 of 24. "
        "Its neuron for sky (50%) responds too, which speaks against beach. "
        "Its neuron for umbrella would speak for it too, but stays silent. "
        "Not spoken of: 2 neurons without a name and 1 that does not respond."
    )


def test_two_names_and_what_the_score_loses_without_them():
    said = say(explanation([unit(0, "sheep", "responds", truth=0.84), unit(1, "grass", "responds", truth=0.61)], []))
    assert said == (
        "The network says beach (98%) because its neurons for sheep (84%) and grass (61%) respond; without them its "
        "score falls by 4.1 of 24."
    )
    said = say(explanation([unit(0, "sheep", "responds")], [], loss=30.0))
    assert said.endswith("its neuron for sheep (80%) responds; without it, its score falls by 30, from 24.")
    said = say(explanation([unit(0, "sheep", "responds")], [], loss=0.5, target=("beach", 0.98, -2.0)))
    assert said.endswith("falls by 0.50, from \N{MINUS SIGN}2.0.")


@pytest.mark.parametrize(("loss", "word"), [(2.3, "in small part because"), (2.5, "(98%) because")])
def test_a_reason_without_which_the_score_is_almost_the_same_is_a_small_part(loss, word):
    said = say(explanation([unit(0, "sheep", "responds")], [unit(1, "bed", "absent")], loss=loss))
    assert f"{word} its neuron for sheep (80%) responds, and there is no bed; without" in said


def test_a_reason_without_which_the_score_hardly_falls_is_none():
    said = say(explanation([unit(0, "sheep", "responds")], [], loss=0.23))
    assert (
        said
        == "The network says beach (98%). Its neuron for sheep (80%) responds, but the score hardly falls without it."
    )
    assert " because " in say(explanation([unit(0, "sheep", "responds")], [], loss=0.24))


@pytest.mark.parametrize("loss", [0.0, -0.3, float("nan")])
def test_what_the_score_does_not_fall_without_is_no_reason(loss):
    responding, absent = unit(0, "sand", "responds"), unit(1, "bed", "absent")
    no_reason = "Its neuron for sand (80%) responds, but the score does not fall without it."
    assert say(explanation([responding], [], loss=loss)) == f"The network says beach (98%). {no_reason}"
    said = say(explanation([responding], [absent], loss=loss))
    assert said == f"The network says beach (98%) because there is no bed. {no_reason}"
    said = say(explanation([responding, unit(2, "umbrella", "missed")], [], loss=loss))
    assert said.endswith(f"{no_reason} Its neuron for umbrella would speak for it, but stays silent.")


def test_only_absence():
    said = say(explanation([], [unit(0, "sky", "absent"), unit(1, "road", "absent")]))
    assert said == "The network says beach (98%) because there is no sky or road."


def test_too_is_said_only_after_something():
    against, missed = unit(0, "sky", "against"), unit(1, "umbrella", "missed")
    said = say(explanation([missed], [against]))
    assert "Its neuron for sky (80%) responds, which speaks against beach. " in said
    assert "Its neuron for umbrella would speak for it, but stays silent." in said
    said = say(explanation([missed], [against, unit(2, "bed", "absent")]))
    assert "Its neuron for sky (80%) responds, which" in said
    assert "would speak for it too" in said


def test_a_concept_on_both_sides_pulls_both_ways():
    said = say(explanation([unit(0, "sky", "responds")], [unit(1, "sky", "against")]))
    assert said == (
        "The network says beach (98%); no concept speaks for it alone. Its neurons for sky (80%) pull both ways."
    )


@pytest.mark.parametrize(
    ("top", "passed_over", "evidence", "why"),
    [
        ([], [], True, "no neuron speaks for it"),
        ([], [unit(0, None, "no name")], True, "none of the neurons that speak most for it has a proven name"),
        ([], [unit(0, "cup", "no proven name")], True, "none of the neurons that speak most for it has a proven name"),
        ([unit(0, None, "no name")], [], False, "none of the neurons that speak most for it has a name"),
        (
            [unit(0, "cup", "not lit")],
            [unit(1, None, "no name")],
            True,
            "no neuron with a proven name responds among those that speak most for it",
        ),
        (
            [unit(0, "cup", "true too rarely"), unit(1, "sea", "not lit")],
            [],
            True,
            "of the neurons that speak most for it, none that responds is sure enough to be called a reason",
        ),
    ],
)
def test_where_nothing_speaks_for_it_the_sentence_says_why(top, passed_over, evidence, why):
    said = say(explanation(top, [], passed_over=passed_over, evidence=evidence))
    assert said.startswith(f"The network says beach (98%); {why}.")
    assert ("No evidence is kept for these names: build again." in said) is not evidence


def test_another_target():
    top, bottom = [unit(0, "lamp", "responds", truth=0.7)], [unit(1, "sky", "absent")]
    target = ("hotel", 0.004, 3.0)
    assert say(explanation(top, bottom, target=target, loss=1.234)) == (
        "The network says beach (98%) and gives hotel under 1%; what speaks for hotel is that its neuron for lamp "
        "(70%) responds and that there is no sky; without this neuron its score falls by 1.2 of 3.0."
    )
    assert say(explanation(top, [], target=target, loss=-1)) == (
        "The network says beach (98%) and gives hotel under 1%. Its neuron for lamp (70%) responds, but the score does "
        "not fall without it."
    )
    assert say(explanation([], [], target=target)) == (
        "The network says beach (98%) and gives hotel under 1%; no neuron speaks for hotel."
    )


def test_constant_alphas_are_said_where_they_rank():
    ranked = [unit(0, "sand", "responds")]
    assert "alike in every image" in say(explanation(ranked, [], constant=True))
    assert "alike in every image" not in say(explanation(ranked, [], constant=True, rank_by="contribution"))


def test_what_is_not_spoken_of_is_counted_by_why():
    units = [unit(number, "cup", reason) for number, reason in enumerate(get_args(Unspoken))]
    said = say(explanation(units[:3], units[3:], passed_over=[unit(9, "cup", "true too rarely")]))
    assert said.endswith(
        "Not spoken of: 1 neuron without a name, 1 without a proven name, 1 that does not respond, 2 whose concepts "
        "are too often not there and 1 whose effect is unclear."
    )


def test_without_labels_everything_at_once():
    top = [unit(0, "sand", "responds"), unit(1, "sea", "responds", truth=0.61), unit(4, "umbrella", "missed")]
    bottom = [unit(5, "bed", "absent"), unit(7, "sky", "against", truth=0.5)]
    for target in (("beach", 0.98, 24.0), ("harbour", 0.01, 24.0)):
        assert say_unlabelled(explanation(top, bottom, target=target)) == (
            "Its neurons for sand (80%) and sea (61%) respond; without these neurons its score falls by 4.1 of 24. "
            "There is no bed. Its neuron for sky (50%) responds, which speaks against it. "
            "Its neuron for umbrella would speak for it, but stays silent."
        )
    said = say_unlabelled(explanation([unit(0, "sand", "responds")], [], loss=0.0))
    assert said == "Its neuron for sand (80%) responds, but the score does not fall without it."
    assert say_unlabelled(explanation([unit(0, None, "no name")], [])) == nothing_to_say("neuron")


@given(
    st.lists(st.tuples(st.sampled_from(["sand", "sea", "bed"]), st.sampled_from(CLAUSES)), max_size=6),
    st.sampled_from([("beach", 0.98, 24.0), ("harbour", 0.3, -1.0)]),
    st.sampled_from([4.1, 0.01, -2.0]),
)
def test_without_labels_no_label_and_no_probability_is_said(named, target, loss):
    units = [unit(number, name, clause) for number, (name, clause) in enumerate(named)]
    said = say_unlabelled(explanation(units, [], target=target, loss=loss))
    for revealing in ("beach", "harbour", "98%", "30%", "The network says"):
        assert revealing not in said
    assert said


def test_textures_scenes_and_colours_read_as_english():
    top = [unit(0, "striped", "responds", category="texture"), unit(1, "street-s", "responds", category="scene")]
    top.append(unit(2, "red-c", "responds", category="color"))
    assert "its neurons for striped texture (80%), street scenery (80%) and red (80%) respond;" in say(
        explanation(top, [])
    )


@pytest.mark.parametrize(
    ("words", "listed"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_lists(words, listed):
    assert enumerate_words(words, "or") == listed


@given(st.floats(0, 1))
def test_a_percentage_never_claims_certainty(probability):
    assert percent(probability) not in {"0%", "100%"}


UNITS = st.lists(st.tuples(st.sampled_from(["sky", "sea", "bed"]), st.sampled_from(CLAUSES)), max_size=5)


@given(UNITS, UNITS, st.sampled_from([-1.0, 0.0, 2.0]))
def test_no_claim_beyond_the_evidence(top, bottom, loss):
    units = [unit(number, name, clause) for number, (name, clause) in enumerate([*top, *bottom])]
    said = say(explanation(units[: len(top)], units[len(top) :], loss=loss))
    reason = said.split(". ")[0]
    responding, _, absent = reason.partition("because")[2].partition("there is no ")
    for name in ("sky", "sea", "bed"):
        clauses = {clause for other, clause in [*top, *bottom] if other == name}
        assert (name in absent.partition(";")[0]) is ("absent" in clauses)
        if name in responding:
            assert "responds" in clauses
            assert "against" not in clauses
            assert loss > 0
        if not clauses & set(get_args(Clause)):
            assert name not in said
    assert ("score falls by" in said) is (loss > 0 and bool(persuasive(units)))


def test_a_contrast_says_what_the_lead_loses_and_nothing_that_was_not_measured():
    from_units = [unit(0, "cow", "responds", truth=0.74), unit(1, "hay", "true too rarely"), unit(2, "sky", "absent")]
    both = {"rather": Score("oxcart", 0, 0.8, 9.5), "than": Score("horse_cart, cart", 1, 0.1, 4.5), "rules": Rules()}
    contrast = Contrast(**both, top=tuple(from_units), bottom=(), loss=3.0)
    assert say_contrast(contrast) == (
        "Its neuron for cow (74%) responds and speaks for oxcart rather than horse cart: without it, the score of "
        "oxcart less that of horse cart falls from 5.0 to 2.0."
    )
    assert contrast.sentence == say_contrast(contrast)
    nothing = "No neuron of which something may be said speaks for oxcart rather than horse cart."
    for changes in ({"loss": -0.1}, {"loss": None}, {"top": (), "loss": 1.0}, {"top": tuple(from_units[1:])}):
        assert replace(contrast, **changes).sentence == nothing
    torn = replace(contrast, bottom=(unit(3, "cow", "against", truth=0.7),))
    assert torn.sentence == nothing, "a name that pulls both ways is no reason"
