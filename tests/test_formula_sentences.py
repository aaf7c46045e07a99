"""What sentences say of units that a formula of several concepts describes better than their name."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_clauses import EVIDENCE, silent
from test_clauses import unit as proven
from test_explainer import SIDE, everything, network, photographs, units, usual
from test_sentence import explanation
from test_sentence import unit as said_of
from test_words import unseen

from dissection.vocabulary import (
    OPERATORS,
    Composition,
    Concept,
    Formula,
    FormulaAreas,
    Labels,
    Quarter,
    Truth,
    implies,
)
from neuronexplain.clauses import clause
from neuronexplain.evaluation.ground_truth.labelled_concepts import LabelledConcepts
from neuronexplain.explainer import Explainer
from neuronexplain.named_layer import NamedLayer
from neuronexplain.phrases import phrase
from neuronexplain.report.inline_pictures import ConceptMap
from neuronexplain.report.marks import marked
from neuronexplain.sentence import say, say_unlabelled
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

WHEEL, CAR, BUS = (Concept(number, name, "object") for number, name in enumerate(("wheel", "car", "bus"), 1))
GREY = Concept(4, "grey-c", "color")
LONE_WHEEL = Formula(WHEEL, (("and not", CAR),))


def composition(formula=LONE_WHEEL, **changes) -> Composition:
    """An accepted formula."""
    areas = FormulaAreas(6, 10, 12), FormulaAreas(4, 10, 10)
    truth, quarters = Truth(20, 18, 80, 0), (Quarter(0.0, 10, 8), Quarter(2.0, 10, 10))
    made = Composition(formula, *areas, (0.01, 0.07), 0.001, 0.02, truth, quarters, (5.0,) * SIDE**2)
    return replace(made, **changes)


concepts = st.sampled_from([WHEEL, CAR, BUS, GREY])
formulas = st.lists(concepts, min_size=2, max_size=3, unique=True).flatmap(
    lambda chosen: st.tuples(*[st.sampled_from(OPERATORS)] * (len(chosen) - 1)).map(
        lambda operators: Formula(chosen[0], tuple(zip(operators, chosen[1:], strict=True)))
    )
)


def holds_in(meaning, world) -> bool:
    """Whether a concept or a formula holds where just these concepts are."""
    if isinstance(meaning, Concept):
        return meaning in world
    holds = meaning.first in world
    for operator, concept in meaning.steps:
        there = concept in world
        holds = {"or": holds or there, "and": holds and there, "and not": holds and not there}[operator]
    return holds


WORLDS = [{concept for concept, there in zip((WHEEL, CAR, BUS, GREY), world, strict=True) if there}
          for world in product((False, True), repeat=4)]  # fmt: skip


@given(formulas | concepts, formulas | concepts)
def test_one_implies_another_if_it_does_in_every_world(one, other):
    assert implies(one, other) == all(holds_in(other, world) for world in WORLDS if holds_in(one, world))


@given(formulas, formulas)
def test_formulas_are_worded_alike_if_they_are_the_same(one, other):
    same = all(holds_in(one, world) == holds_in(other, world) for world in WORLDS)
    assert (one.spoken == other.spoken) == same


@given(formulas)
def test_a_formula_holds_at_the_pixels_where_its_concepts_say_so(formula):
    masks = {concept: np.array([concept in world for world in WORLDS]) for concept in (WHEEL, CAR, BUS, GREY)}
    assert formula.holds(masks.__getitem__).tolist() == [holds_in(formula, world) for world in WORLDS]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            [(LONE_WHEEL, "responds")],
            "because its neuron for wheel but not car (80%) responds; without it, its score falls by 4.1 of 24.",
        ),
        (
            [(LONE_WHEEL, "responds"), (Formula(BUS, (("or", CAR),)), "responds"), (GREY, "responds")],
            "because its neurons for “wheel but not car” (80%), “bus or car” (80%) and grey (80%) respond;",
        ),
        ([(LONE_WHEEL, "absent")], "because there is nothing that is wheel but not car."),
        (
            [(BUS, "absent"), (LONE_WHEEL, "absent"), (GREY, "absent")],
            "because there is no bus or grey, and nothing that is “wheel but not car”.",
        ),
        (
            [(LONE_WHEEL, "absent"), (Formula(BUS, (("or", CAR),)), "absent")],
            "because there is nothing that is “wheel but not car” or “bus or car”.",
        ),
        ([(LONE_WHEEL, "missed")], "Its neuron for wheel but not car would speak for it, but stays silent."),
        ([(LONE_WHEEL, "against")], "Its neuron for wheel but not car (80%) responds, which speaks against beach."),
    ],
)
def test_what_is_said(said, sentence):
    top = [
        replace(said_of(number, "wheel", what), composition=composition(meaning) if meaning in formulae(said) else None)
        if isinstance(meaning, Formula)
        else replace(said_of(number, "x", what), name=replace(said_of(number, "x", what).name, concept=meaning))
        for number, (meaning, what) in enumerate(said)
    ]
    assert sentence in say(explanation(top, []))


def formulae(said):
    return [meaning for meaning, _ in said if isinstance(meaning, Formula)]


def test_readers_who_are_to_guess_are_told_the_same():
    lone = replace(said_of(0, "wheel", "absent"), composition=composition())
    assert say_unlabelled(explanation([lone], [])) == "There is nothing that is wheel but not car."
    assert phrase(Formula(Concept(9, "beach-s", "scene"), (("and", GREY),))) == "beach scenery and grey"


def test_units_of_equal_formulas_are_one_mention():
    turned = Formula(CAR, (("or", BUS),)), Formula(BUS, (("or", CAR),))
    top = [replace(said_of(number, "car", "responds"), composition=composition(turned[number])) for number in (0, 1)]
    assert "its neurons for bus or car (80%) respond" in say(explanation(top, []))


def layer(meanings, **rules) -> NamedLayer:
    """Units that stand for these, each with a name of its own where it has no formula."""
    made = []
    for number, meaning in enumerate(meanings):
        unit = units()[number]
        if isinstance(meaning, Formula):
            unit = replace(unit, compositions=(composition(meaning),))
        else:
            unit = replace(unit, overlaps=(replace(unit.overlaps[0], concept=meaning),))
        made.append(unit)
    return NamedLayer(made, Rules(**rules))


def test_a_layer_knows_which_units_stand_for_the_same_or_for_something_that_implies_it():
    made = layer([WHEEL, LONE_WHEEL, Formula(CAR, (("or", BUS),)), CAR, Formula(BUS, (("or", CAR),)), GREY])
    assert [list(made.namesakes(number)) for number in range(6)] == [[0], [1], [2, 4], [3], [2, 4], [5]]
    assert [list(made.implying(number)) for number in range(6)] == [[0, 1], [1], [2, 3, 4], [3], [2, 3, 4], [5]]


def test_what_is_known_of_a_unit_with_a_formula_is_of_the_formula():
    made = layer([LONE_WHEEL, WHEEL])
    formula, name = (made.descriptions[number] for number in (0, 1))
    assert (formula.meaning, formula.truth) == (LONE_WHEEL, Truth(20, 18, 80, 0))
    assert [formula.truth_at(peak) for peak in (1.0, 3.0)] == [8.9 / 11, 10.9 / 11]
    assert (name.meaning, name.truth_at(1.0)) == (WHEEL, 16.8 / 21)
    assert made.lit_maps(SIDE, SIDE)[:2, 0, 0].tolist() == [5.0, 2.0]


@pytest.mark.parametrize(
    ("changes", "rules", "meaning"),
    [
        ({}, {}, LONE_WHEEL),
        ({"q": 0.06}, {}, WHEEL),
        ({"q": 0.06}, {"max_q": 0.1}, LONE_WHEEL),
        ({"gain": (0.0, 0.1)}, {}, WHEEL),
        ({}, {"min_iou": 0.26}, WHEEL),  # its IoU on held-out images is 0.25, that of the name 1/3
    ],
)
def test_a_formula_stands_in_for_the_name_only_where_it_is_accepted(changes, rules, meaning):
    (unit, *_) = units()
    overlap = replace(unit.overlaps[0], concept=WHEEL)
    unit = replace(unit, overlaps=(overlap,), compositions=(composition(**changes),))
    assert NamedLayer([unit], Rules(**rules)).descriptions[0].meaning == meaning


def test_a_formula_is_proven_where_the_name_is_not():
    unproven = replace(EVIDENCE, q=0.5)
    plain = proven(evidence=unproven)
    assert clause(plain, [plain], [plain], 1.0, DEFAULT_RULES) == "no proven name"
    formula = replace(plain, composition=composition())
    assert clause(formula, [formula], [formula], 1.0, DEFAULT_RULES) == "responds"
    nameless = replace(formula, name=None, evidence=None)
    assert clause(nameless, [nameless], [nameless], 1.0, DEFAULT_RULES) == "responds"


def test_nothing_is_said_not_to_be_there_where_a_unit_is_lit_that_implies_it():
    wheel, lone = silent(0, "wheel", absence=1.0), replace(proven(1, "x"), composition=composition())
    assert clause(wheel, [wheel], [wheel], 1.0, DEFAULT_RULES) == "absent"
    assert clause(wheel, [wheel], [wheel, lone], 1.0, DEFAULT_RULES) == "not lit"
    unkept = replace(silent(2, "x", absence=1.0, evidence=None, potential=None), composition=composition(lit_map=()))
    assert clause(unkept, [unkept], [unkept], 1.0, DEFAULT_RULES) == "not lit"


def test_sentences_about_a_network_speak_of_formulas_and_try_them_out():
    net, named = network(), photographs(40)
    plain = Explainer(net, units(), False, Rules(k=6), excesses=usual(net.classes))
    composed = [
        replace(
            unit,
            compositions=(
                composition(Formula(unit.overlaps[0].concept, (("and not", CAR),)), lit_map=unit.evidence.lit_map),
            ),
        )
        for unit in units()
    ]
    said = set()
    for before, after in zip(everything(plain, named), everything(replace(plain, units=composed), named), strict=True):
        ranked = [[(unit.unit, unit.clause) for unit in (*one.top, *one.bottom)] for one in (before, after)]
        assert ranked[0] == ranked[1]  # their truth is enough and their lit maps the same, so that the same is said
        assert after.sentence.count("but not car") == before.sentence.count("thing")
        assert {f"{name} but not car" for name in before.masks} == after.masks.keys()
        said |= {clause for _, clause in ranked[1]}
    assert {"responds", "against", "absent", "missed"} <= said


def test_formulas_are_places_of_images_that_are_labelled_in_all_their_categories():
    world = unseen()
    red, sky = world.concepts[7], world.concepts[9]
    labels = list(world.all_labels)
    maps = np.zeros((2, 8, 8), np.int32)
    maps[0, :, :4], maps[1, :4] = 7, 9
    labels[0] = Labels(maps)
    known = Formula(red, (("or", sky),)), Formula(red, (("and not", sky),))
    ground = LabelledConcepts(replace(world, all_labels=labels), "digest").with_meanings([red, *known, LONE_WHEEL])
    assert ground.vocabulary - LabelledConcepts(world, "digest").vocabulary == {
        "color and object/red or sky",
        "color and object/red but not sky",
    }
    both, red_alone = ground.annotated(0), ground.annotated(4)
    assert both.categories == {"color", "object", "color and object"}
    assert both.places["color and object/red or sky"].mask.sum() == 48
    assert both.places["color and object/red but not sky"].mask.sum() == 16
    assert red_alone.categories == {"color", "scene"}  # of the formulas it says nothing
    assert set(red_alone.places) == {"color/red", "scene/fire"}


def test_the_pieces_of_a_sentence_are_the_sentence_and_its_quotation_marks_belong_to_what_they_quote():
    lone = replace(said_of(0, "wheel", "responds"), composition=composition())
    made = explanation([lone, said_of(1, "road", "responds")], [])
    names = (LONE_WHEEL.spoken, "road")
    maps = [ConceptMap(name, (0,), (), True, number, "", "", (1, 1)) for number, name in enumerate(names)]
    pieces = marked(made, maps)
    assert "".join(piece.text for piece in pieces) == made.sentence
    assert [(piece.text, piece.number) for piece in pieces if piece.number is not None] == [
        ("“wheel but not car”", 0),
        ("road", 1),
    ]
