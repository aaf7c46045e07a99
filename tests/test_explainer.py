"""Effects, potentials and losses of explanations, against slow versions; words from dissections with evidence."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from worlds import BIASES, COLOURS, DETECTORS, colour_concepts, colour_network, colour_square

from dissection.dissect import dissect
from dissection.errors import ClassNotFoundError
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import Concept, Evidence, Layer, Overlap, Quarter, Truth, Unit
from neuronexplain.clauses import persuasive, roles
from neuronexplain.explainer import Explainer
from neuronexplain.vocabulary import Rules

UNITS, SIDE, CLASSES = 6, 4, tuple("abc")
STEP, THRESHOLD = 1e-5, 1.0


class Curved(nn.Module):
    """A head that is not linear, beside a branch that sees the image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.relu = nn.Conv2d(3, UNITS, 3, padding=1), nn.ReLU(inplace=True)
        self.after, self.gate = nn.Conv2d(UNITS, 8, 3, padding=1), nn.Linear(3, 8)
        self.head = nn.Linear(8, len(CLASSES))

    def forward(self, images):
        maps = torch.tanh(self.after(self.relu(self.conv(images)))).mean((2, 3))
        return self.head(maps * self.gate(images.mean((2, 3))).sigmoid()) * 10


def curved() -> Network:
    preprocessing = Preprocessing(size=(SIDE, SIDE), resize=(SIDE, SIDE))
    return Network(Curved().double().eval(), "curved", Layer("relu", UNITS, SIDE, SIDE), preprocessing, CLASSES)


class Doubled(nn.Module):
    """A network in double precision behind images in single precision, so that differences are exact enough."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images.double())


def network() -> Network:
    module = Doubled(Curved().double()).eval()
    return replace(curved(), module=module, layer=Layer("network.relu", UNITS, SIDE, SIDE))


def units(threshold: float = THRESHOLD, *, evidence: bool = True, of_a_name: int = 1) -> list[Unit]:
    """Units with names of their own, or a few of a name; the lit map of each is its number, all over."""
    made = []
    for number in range(UNITS):
        thing = number // of_a_name
        concept = Concept(thing + 1, f"thing {thing}", "object")
        overlap = Overlap(concept, 10, 20, 20, 15, Truth(20, 16, 400, 0) if evidence else None)
        kept = Evidence(
            0.01, 0.02, 0.9, (0.3, 0.4), (0.1, 0.2), (), (Quarter(0.0, 20, 16),), (float(number + 1),) * SIDE**2
        )
        made.append(Unit(number, threshold, (overlap,), (), kept if evidence else None))
    return made


def photographs(count: int = 5):
    generator = np.random.default_rng(0)
    return [
        (str(number), Image.fromarray(generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)))
        for number in range(count)
    ]


def images_of(net: Network, named) -> torch.Tensor:
    return torch.stack([net.preprocessing.tensor(net.preprocessing.frame(photograph)) for _, photograph in named])


def score(net: Network, image: torch.Tensor, target: int, factor: torch.Tensor, addend: torch.Tensor) -> float:
    """One score with the layer's map multiplied and added to by a hook, in a second run of the whole network."""
    part = net.module.get_submodule(net.layer.name)
    handle = part.register_forward_hook(lambda _module, _inputs, maps: maps * factor + addend)
    try:
        with torch.no_grad():
            return float(net.module(image[None])[0, target])
    finally:
        handle.remove()


ONES, NOTHING = torch.ones(UNITS, 1, 1, dtype=torch.float64), torch.zeros(UNITS, 1, 1, dtype=torch.float64)


def only(*units: int, value: float = 1.0) -> torch.Tensor:
    """A value for some units and 0 for the others."""
    values = NOTHING.clone()
    values[list(units)] = value
    return values


def usual(classes, excess=1.0, units=UNITS):
    """All units contribute so much more to each class than to the average one."""
    return {target: np.full(units, excess) for target in range(len(classes))}


def everything(explainer: Explainer, named):
    return list(explainer.explain(named, batch_size=3))


@pytest.fixture(scope="module")
def explained():
    net, named = network(), photographs()
    rules = Rules(k=UNITS, among="all")
    return net, images_of(net, named), everything(Explainer(net, units(), False, rules), named)


def test_effects_are_finite_differences_of_the_head(explained):
    net, images, explanations = explained
    for image, explanation in zip(images, explanations, strict=True):
        for unit in (*explanation.top, *explanation.bottom):
            more, less = (
                score(net, image, explanation.target.index, ONES + only(unit.unit, value=step), NOTHING)
                for step in (STEP, -STEP)
            )
            assert unit.effect == pytest.approx((more - less) / (2 * STEP), abs=1e-5)


def test_potentials_are_finite_differences_towards_the_lit_map(explained):
    net, images, explanations = explained
    assert any(unit.potential for explanation in explanations for unit in (*explanation.top, *explanation.bottom))
    for image, explanation in zip(images, explanations, strict=True):
        for unit in (*explanation.top, *explanation.bottom):
            assert (unit.potential is None) is unit.lit
            if unit.potential is not None:
                lit_map = unit.unit + 1
                more, less = (
                    score(net, image, explanation.target.index, ONES, only(unit.unit, value=step * lit_map))
                    for step in (STEP, -STEP)
                )
                assert unit.potential == pytest.approx((more - less) / (2 * STEP), abs=1e-4)


def test_losses_are_those_of_a_second_run_without_the_units_that_are_said_to_speak_for_it(explained):
    net, images, explanations = explained
    assert sum(explanation.loss is not None for explanation in explanations) > 1
    for image, explanation in zip(images, explanations, strict=True):
        reasons = [unit.unit for unit in persuasive((*explanation.top, *explanation.bottom))]
        assert (explanation.loss is None) is (not reasons)
        if reasons:
            without = score(net, image, explanation.target.index, ONES - only(*reasons), NOTHING)
            assert explanation.loss == pytest.approx(explanation.target.logit - without, abs=1e-6)


def by_name(units_of_role):
    """The numbers of the units of each name."""
    names = dict.fromkeys(unit.name.concept for unit in units_of_role)
    return [[unit.unit for unit in units_of_role if unit.name.concept == name] for name in names]


@pytest.mark.parametrize(
    ("of_a_name", "said"), [(1, ("against", "missed", "absent")), (2, ("against", "missed", "outweighed"))]
)
def test_what_is_said_of_each_name_but_reasons_is_tried_out_by_itself(of_a_name, said):
    net, named = network(), photographs(60)
    with torch.no_grad():
        net.module.network.after.weight.mul_(8)  # saturated, so that slopes mislead
    images = images_of(net, named)
    rules = Rules(k=UNITS, among="all")
    explainer = Explainer(net, units(of_a_name=of_a_name), False, rules, excesses=usual(CLASSES))
    held = dict.fromkeys(("against", "missed", "absent", "outweighed"), 0)
    several = retracted = 0
    for image, explanation in zip(images, everything(explainer, named), strict=True):
        target, ranked = explanation.target, (*explanation.top, *explanation.bottom)

        def moved(numbers, *, is_on, image=image, target=target):
            addend = sum(only(number, value=number + 1.0) for number in numbers) if is_on else NOTHING
            return score(net, image, target.index, ONES - only(*numbers), addend) - target.logit

        spoken = roles(ranked)
        for role, sign, is_on in (("against", 1, False), ("missed", 1, True), ("absent", -1, True)):
            names = by_name(spoken[role])
            held[role] += len(names)
            several += len(names) > 1
            assert all(sign * moved(numbers, is_on=is_on) > 0 for numbers in names)
        doubted = by_name([unit for unit in ranked if unit.lit and unit.effect < 0 and unit.clause == "unclear effect"])
        retracted += len(doubted)
        assert all(moved(numbers, is_on=False) <= 0 for numbers in doubted)
        outweighed = {unit.unit for unit in ranked if unit.clause == "outweighed"}
        weighed = [numbers for numbers in by_name(spoken["responds"]) if outweighed & set(numbers)]
        assert all(moved(numbers, is_on=False) < 0 for numbers in weighed)
        assert not spoken["torn"]
        held["outweighed"] += len(weighed)
    assert min(held[role] for role in said) > 0, held
    assert several > 0
    assert retracted > 0


def test_nothing_is_said_of_a_unit_that_is_missed_where_other_classes_have_it():
    net, named = network(), photographs(40)
    said = {None: 0}
    for explanation in everything(Explainer(net, units(), False, Rules(k=UNITS, among="all")), named):
        said[None] += sum(unit.clause == "missed" for unit in (*explanation.top, *explanation.bottom))
    for sign in (-1.0, 0.0, 1.0):
        excesses = usual(CLASSES, sign)
        explainer = Explainer(net, units(), False, Rules(k=UNITS, among="all"), excesses=excesses)
        ranked = [(*explanation.top, *explanation.bottom) for explanation in everything(explainer, named)]
        assert {unit.excess for of_image in ranked for unit in of_image} == {sign}
        said[sign] = sum(unit.clause == "missed" for of_image in ranked for unit in of_image)
    assert said[None] == said[-1.0] == said[0.0] == 0
    assert said[1.0] > 0


def test_a_unit_is_lit_where_a_cell_exceeds_its_threshold(explained):
    net, images, explanations = explained
    for explanation, maps in zip(explanations, forward(net, images).activation.detach(), strict=True):
        for unit in (*explanation.top, *explanation.bottom):
            assert unit.peak == pytest.approx(float(maps[unit.unit].max()))
            assert unit.lit is bool((maps[unit.unit] > THRESHOLD).any())


@pytest.mark.parametrize("rank_by", ["alpha", "effect", "contribution"])
def test_units_rank_by_what_is_asked_for(rank_by):
    (explanation, *_) = everything(
        Explainer(network(), units(), False, Rules(rank_by=rank_by, among="all")), photographs()
    )
    values = [getattr(unit, rank_by) for unit in explanation.top]
    assert values == sorted(values, reverse=True)
    assert all(value > 0 for value in values)
    assert all(getattr(unit, rank_by) < 0 for unit in explanation.bottom)


def test_among_proven_only_units_of_which_something_is_said_are_ranked():
    for explanation in everything(Explainer(network(), units(), False, Rules(k=2)), photographs()):
        assert all(unit.is_spoken for unit in (*explanation.top, *explanation.bottom))
        assert not any(unit.is_spoken for unit in explanation.passed_over)
    unproven = [replace(unit, evidence=replace(unit.evidence, q=0.06)) for unit in units()]
    for explanation in everything(Explainer(network(), unproven, False), photographs()):
        assert explanation.top == explanation.bottom == ()
        assert {unit.clause for unit in explanation.passed_over} == {"no proven name"}
        assert "has a proven name" in explanation.sentence


def test_among_named_no_sentence_denies_units_that_were_passed_over():
    explainer = Explainer(network(), units(), False, Rules(among="named", min_iou=0.99))
    for explanation in everything(explainer, photographs()):
        assert explanation.top == ()
        assert explanation.passed_over
        assert "no neuron speaks for it" not in explanation.sentence


def test_without_evidence_the_conditions_that_can_be_checked_hold():
    for explanation in everything(Explainer(network(), units(evidence=False), False), photographs()):
        assert explanation.has_evidence is False
        assert "No evidence is kept for these names: build again." in explanation.sentence
        assert explanation.rules.among == "named"
        for unit in (*explanation.top, *explanation.bottom):
            assert (unit.truth, unit.potential) == (None, None)
            assert unit.clause != "responds" or (unit.alpha > 0 and unit.effect > 0)


@pytest.fixture(scope="module")
def coloured():
    """The colour network's units, named with evidence."""
    return dissect(colour_network(), colour_concepts(120), draws=49).units


def test_the_sentence_written_out(coloured):
    network = colour_network()
    explainer = Explainer(network, coloured, False, excesses=usual(network.classes, units=len(coloured)))
    (explanation,) = explainer.explain([("red", colour_square("red"))])
    weight, mean = 3.0, 144 / 1024
    loss, score = weight * ((1 + mean) ** 2 - 1), weight * (1 + mean) ** 2 - 2 - 1 + 0.5
    assert explanation.loss == pytest.approx(loss, rel=1e-5)
    assert explanation.target.logit == pytest.approx(score, rel=1e-5)
    assert explanation.sentence == (
        "The network says fire (53%) because its neuron for red (over 99%) responds, and there is no green or blue; "
        f"without this neuron its score falls by {loss:.2f} of {score:.1f}. "
        "Its neuron for yellow would speak for it too, but stays silent."
    )
    (top, missed) = explanation.top
    assert top.truth == pytest.approx(1.0)
    assert (top.counts.hit_images, top.counts.lit_images) == (30, 30)
    assert top.effect == pytest.approx(weight * 2 * (1 + mean) * mean, rel=1e-5)
    assert missed.potential > 0 > explanation.bottom[0].potential


def test_every_colour_is_said_to_respond_and_no_other(coloured):
    explainer = Explainer(colour_network(), coloured, False)
    for explanation in explainer.explain((colour, colour_square(colour)) for colour in COLOURS):
        said = {unit.name.concept.spoken for unit in (*explanation.top, *explanation.bottom) if unit.lit}
        detected = np.clip(np.array(DETECTORS) @ (np.array(COLOURS[explanation.image]) / 255) + BIASES, 0, None)
        assert said <= {colour for colour, value in zip(COLOURS, detected, strict=True) if value > 0}


def test_two_classes_are_compared_by_the_difference_of_their_scores():
    explainer = Explainer(network(), units(), constant_alpha=False, rules=Rules(among="all", k=UNITS))
    shown = photographs(3)
    for comparison, first, second in zip(
        explainer.compare(shown, ("a", "b")),
        explainer.explain(shown, target="a"),
        explainer.explain(shown, target="b"),
        strict=True,
    ):
        assert comparison.answers[0].sentence == first.sentence
        assert comparison.answers[1].sentence == second.sentence
        rather, than = comparison.contrasts
        assert rather.lead == -than.lead == first.target.logit - second.target.logit
        by_unit = [{unit.unit: unit for unit in answer.top + answer.bottom} for answer in comparison.answers]
        for unit in rather.top:
            sides = [units_of[unit.unit] for units_of in by_unit]
            assert unit.alpha == pytest.approx(sides[0].alpha - sides[1].alpha)
            assert unit.effect == pytest.approx(sides[0].effect - sides[1].effect)
        for contrast, signs in ((rather, 1), (than, -1)):
            reasons = [unit.unit for unit in persuasive((*contrast.top, *contrast.bottom))]
            if reasons:
                lost = lead_without(explainer.network, shown, comparison.image, reasons)
                assert contrast.loss == pytest.approx(contrast.lead - signs * lost, abs=1e-4)
            else:
                assert contrast.loss is None


def test_a_name_is_weighed_as_a_whole_in_a_lead():
    rules = Rules(among="all", k=UNITS)
    explainer = Explainer(network(), units(of_a_name=2), constant_alpha=False, rules=rules)
    shown, weighed = photographs(12), 0
    for comparison in explainer.compare(shown, ("a", "b")):
        for contrast, sign in zip(comparison.contrasts, (1, -1), strict=True):
            spoken = roles((*contrast.top, *contrast.bottom))
            outweighed = {unit.unit for unit in contrast.top + contrast.bottom if unit.clause == "outweighed"}
            assert not spoken["torn"]
            for numbers in by_name(spoken["responds"]):
                if outweighed & set(numbers):
                    lead = sign * lead_without(explainer.network, shown, comparison.image, numbers)
                    assert lead < contrast.lead
                    weighed += 1
    assert weighed > 0


def lead_without(network, shown, image, silent):
    """The score of class a less that of b, with some maps set to 0: the slow way, by a hook."""
    photograph = dict(shown)[image]
    frame = network.preprocessing.tensor(network.preprocessing.frame(photograph))[None]

    def silence(_module, _inputs, output):
        output = output.clone()
        output[:, silent] = 0
        return output

    handle = network.module.get_submodule("network.relu").register_forward_hook(silence)
    try:
        with torch.no_grad():
            scores = network.module(frame)[0]
    finally:
        handle.remove()
    return float(scores[0] - scores[1])


def test_a_class_is_not_compared_with_itself():
    explainer = Explainer(network(), units(), constant_alpha=False)
    with pytest.raises(ClassNotFoundError, match="both targets are class 1, b; name two classes to compare"):
        next(explainer.compare(photographs(1), ("b", "1")))


def test_classes_and_what_is_shown_are_kept():
    explainer = Explainer(network(), units(), constant_alpha=False)
    (made,) = explainer.explain(photographs(1), true_class={"0": 2}.get)
    assert made.classes[0] == made.prediction
    assert [score.logit for score in made.classes] == sorted((score.logit for score in made.classes), reverse=True)
    assert {score.index for score in made.classes} == {0, 1, 2}
    assert made.true_class is not None
    assert made.true_class.label == "c"
