"""How true sentences are: every number against a slower version, on known worlds, and from the command line."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from test_cli import NETWORK, one_line
from test_explainer import NOTHING, ONES, SIDE, UNITS, curved, images_of, network, only, photographs, score, units
from test_sentence import unit as spoken_unit
from torch import nn
from worlds import CLASSES, DETECTORS, HEAD, MemoryConcepts, colour_concepts, colour_network, write_colour_folder

from dissection.concepts.wrappers import Selection
from dissection.dissect import dissect
from dissection.errors import ConceptDataError, NeuronExplainError
from dissection.execution.settings import Execution
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.reruns import Reruns
from dissection.vocabulary import Concept, Labels, UnitName
from neuronexplain.clauses import roles
from neuronexplain.evaluation.ground_truth.labelled_concepts import LabelledConcepts, open_unseen
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.words.halves import Agreement, agreement_of_halves
from neuronexplain.evaluation.words.interventions import Change, changed_scores
from neuronexplain.evaluation.words.mentions import Mention, mentions_of
from neuronexplain.evaluation.words.records import JudgedMention, Outcome, SentenceRecord
from neuronexplain.evaluation.words.shuffled_head import with_shuffled_head
from neuronexplain.evaluation.words.speakers import OfPredictions
from neuronexplain.evaluation.words.table import words_report
from neuronexplain.evaluation.words.trials import Trial, trials_of
from neuronexplain.explainer import Explainer
from neuronexplain.metrics.calibration import area_under_roc, bin_of
from neuronexplain.metrics.like_units import NEAREST, like_units
from neuronexplain.metrics.pointing_game import halves
from neuronexplain.metrics.reader import UNKNOWN, World

probabilities = st.floats(0, 1)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()), max_size=12))
def test_the_auc_counts_pairs(statements):
    pairs = [
        (Fraction(1, 2) if said == other else Fraction(said > other))
        for (said, is_true), (other, other_is_true) in product(statements, statements)
        if is_true and not other_is_true
    ]
    found = area_under_roc(np.array([s for s, _ in statements], float), np.array([t for _, t in statements], bool))
    if pairs:
        assert found == pytest.approx(float(sum(pairs) / len(pairs)))
    else:
        assert np.isnan(found)


@given(probabilities)
@example(0.2)
@example(1.0)
def test_a_bin_is_a_fifth(said):
    edges = [0.0, 0.2, 0.4, 0.6, 0.8]
    assert bin_of(said) == max(number for number, edge in enumerate(edges) if said >= edge)


def slow_beliefs(classes, present, labelled, image, evidence):
    """How probable each class is that occurs in the other images, exactly, without the sum to 1."""
    others = [other for other in range(len(classes)) if other != image and classes[other] != UNKNOWN]
    seen = sorted({classes[other] for other in others})
    beliefs = {}
    for index in seen:
        mine = [other for other in others if classes[other] == index]
        belief = Fraction(len(mine) + 1, len(others) + len(seen))
        for concept, is_there in evidence:
            known = [other for other in mine if labelled[other][concept]]
            having = sum(present[other][concept] for other in known)
            share = Fraction(having + 1, len(known) + 2)
            belief *= share if is_there else 1 - share
        beliefs[index] = belief
    return beliefs


@given(st.data())
def test_the_reader_is_naive_bayes_over_the_other_images(data):
    images, concepts = data.draw(st.integers(2, 7)), data.draw(st.integers(1, 3))
    classes = data.draw(st.lists(st.sampled_from([UNKNOWN, 0, 1, 3]), min_size=images, max_size=images))
    table = st.lists(st.lists(st.booleans(), min_size=concepts, max_size=concepts), min_size=images, max_size=images)
    present, labelled = data.draw(table), data.draw(table)
    image = data.draw(st.integers(0, images - 1))
    evidence = data.draw(st.lists(st.tuples(st.integers(0, concepts - 1), st.booleans()), max_size=3))
    world = World(np.array(classes), np.array(present), np.array(labelled))
    beliefs = slow_beliefs(classes, present, labelled, image, evidence)
    assert [index for index in range(5) if world.knows(image, index)] == sorted(beliefs)
    if beliefs:
        assert float(beliefs[world.guess(image, evidence)] / max(beliefs.values())) == pytest.approx(1)


def test_the_reader_learns_nothing_from_the_image_itself():
    classes, present = np.array([0, 0, 1, 1]), np.array([[True], [False], [True], [True]])
    world = World(classes, present, np.ones((4, 1), bool))
    assert world.guess(0, [(0, True)]) == 1
    assert world.guess(2, [(0, False)]) == 0


def test_the_reader_guesses_no_class_that_they_never_saw():
    present = np.array([[True, True], *[[False, False]] * 6])
    world = World(np.array([0, *[1] * 6]), present, np.ones((7, 2), bool))
    assert not world.knows(0, 0)
    assert world.guess(0, [(0, True), (1, True)]) == 1


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0]), min_size=1, max_size=12),
    st.integers(0, 3),
    st.integers(0, 99),
)
def test_random_units_are_among_the_closest_that_are_left(activity, count, seed):
    values, count = np.array(activity), min(count, len(activity))
    chosen, candidates = range(count), range(len(activity))
    drawn = like_units(chosen, values, candidates, np.random.default_rng(seed))
    assert drawn == like_units(chosen, values, candidates, np.random.default_rng(seed))
    left = [unit for unit in candidates if unit not in chosen]
    assert len(drawn) == min(count, len(left))
    for unit, other in zip(chosen, drawn, strict=False):
        closer = [one for one in left if abs(values[one] - values[unit]) < abs(values[other] - values[unit])]
        assert other in left
        assert len(closer) < NEAREST
        left.remove(other)


def test_random_units_differ_from_draw_to_draw():
    generator = np.random.default_rng(0)
    drawn = {like_units([0], np.zeros(20), range(20), generator) for _ in range(50)}
    assert len(drawn) == NEAREST


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["responds", "against", "outweighed", "absent", "not lit"]))
    )
)
def test_a_name_that_speaks_for_and_against_is_torn(chosen):
    named = [spoken_unit(number, name, clause) for number, (name, clause) in enumerate(chosen)]
    found = roles(named)
    for unit in named:
        clauses = {
            other.clause
            for other in named
            if other.name == unit.name or other.name.concept.name == unit.name.concept.name
        }
        sides = {"responds", "against"} & clauses
        is_of_a_side = unit.clause in {"responds", "against", "outweighed"}
        expected = unit.clause if not is_of_a_side else sides.pop() if len(sides) == 1 else "torn"
        assert [role for role, of_role in found.items() if unit in of_role] == ([expected] if unit.is_spoken else [])


def test_mentions_count_units_of_one_concept_together():
    (explanation, *_) = Explainer(network(), units(), False).explain(photographs())
    top = (
        spoken_unit(1, "sand", "responds", truth=0.6),
        spoken_unit(2, "sea", "responds"),
        spoken_unit(3, "sand", "responds", truth=0.9),
        spoken_unit(6, "sand", "responds", truth=0.7, category="material"),
    )
    bottom = (spoken_unit(4, "bed", "absent"), spoken_unit(5, None, "no name"))
    assert mentions_of(replace(explanation, top=top, bottom=bottom)) == [
        Mention("responds", "object/sand", (1, 3), 0.9),
        Mention("responds", "object/sea", (2,), 0.8),
        Mention("responds", "material/sand", (6,), 0.7),
        Mention("absent", "object/bed", (4,), None),
    ]


def test_changed_scores_are_those_of_whole_runs():
    net, named = network(), photographs(3)
    images, lit_maps = images_of(net, named), torch.arange(1.0, UNITS + 1)[:, None, None].expand(UNITS, SIDE, SIDE)
    changes = [[Change(()), Change((1, 4))], [Change((2, 3), is_on=True)], []]
    reruns = Reruns(net)
    found = changed_scores(reruns, reruns.forward(images), torch.tensor([0, 2, 1]), lit_maps, changes)
    on = only(2, value=3.0) + only(3, value=4.0)
    assert found[0] == pytest.approx(
        [score(net, images[0], 0, ONES, NOTHING), score(net, images[0], 0, ONES - only(1, 4), NOTHING)]
    )
    assert found[1] == pytest.approx([score(net, images[1], 2, ONES - only(2, 3), on)])
    assert found[2] == []


def state(net: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.module.state_dict().items()}


def test_a_shuffled_head_has_the_same_weights_elsewhere_and_the_same_maps():
    net = curved()
    net = replace(net, module=net.module.float())
    before, shuffled = state(net), with_shuffled_head(net, seed=1)
    after = state(shuffled)
    assert all(torch.equal(state(net)[name], tensor) for name, tensor in before.items())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"{part}.{kind}" for part in ("after", "gate", "head") for kind in ("weight", "bias")}
    for name in before:
        assert torch.equal(before[name].flatten().sort().values, after[name].flatten().sort().values)
    images = images_of(net, photographs())
    assert torch.equal(forward(net, images).activation, forward(shuffled, images).activation)
    assert not torch.allclose(forward(net, images).scores, forward(shuffled, images).scores)
    again, other = (state(with_shuffled_head(net, seed=seed)) for seed in (1, 2))
    assert torch.equal(after["head.weight"], again["head.weight"])
    assert not torch.equal(after["head.weight"], other["head.weight"])
    assert all(parameter.grad is None for parameter in net.module.parameters())


def test_a_head_without_weights_cannot_be_shuffled():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    net = replace(curved(), module=module, layer=replace(curved().layer, name="1", units=4), classes=tuple("abcd"))
    assert with_shuffled_head(net) is None


def test_trials_change_reasons_together_and_other_mentions_alone():
    mentions = [
        Mention("responds", "object/a", (0, 1), 0.9),
        Mention("responds", "object/b", (2,), 0.9),
        Mention("against", "object/c", (3,), 0.9),
        Mention("absent", "object/d", (4, 5), None),
        Mention("missed", "object/e", (6,), None),
        Mention("torn", "object/f", (7,), None),
    ]
    activation = np.zeros((30, 2, 2))
    activation[:, 0, 0] = np.arange(30)
    lit_maps = np.ones((30, 2, 2), np.float32)
    lit_maps[[3, 4, *range(20, 29)]] = 5
    lit_maps[[5, 6, 29]] = 0
    thresholds = np.full(30, 100.0)
    thresholds[20:25] = 0.0
    trials = trials_of(mentions, activation, lit_maps, thresholds, draws=9, generator=np.random.default_rng(0))
    assert [(trial.role, trial.change) for trial in trials] == [
        ("responds", Change((0, 1, 2))),
        ("against", Change((3,))),
        ("absent", Change((4,), is_on=True)),  # nothing is kept to switch 5 and 6 on with
    ]
    for trial in trials:
        assert len(trial.random) == 9
        for change in trial.random:
            assert change.is_on is trial.change.is_on
            assert len(set(change.units)) == len(trial.change.units)
            assert set(change.units) <= set(range(8, 30))
            if change.is_on:
                assert not set(change.units) & {*range(20, 25), 29}
    assert {change.units[0] for change in trials[1].random} <= set(range(8, 8 + NEAREST))
    assert len({change.units[0] for change in trials[2].random} & set(range(25, 29))) > 1
    assert trials[0].outcome(5.0, [3.0, *[4.5] * 9]) == Outcome("responds", 2.0, (0.5,) * 9)
    assert trials[1].outcome(5.0, [3.0, *[4.5] * 9]) == Outcome("against", -2.0, (-0.5,) * 9)
    assert trials[2].outcome(5.0, [3.0, *[4.5] * 9]).moved == 2.0
    assert Trial("missed", Change((1,), is_on=True), ()).outcome(5.0, [3.0]).moved == -2.0


@pytest.fixture(scope="module")
def explainer():
    """The colour network, its units named with evidence."""
    usual = {target: np.ones(len(DETECTORS)) for target in range(len(CLASSES))}
    dissected = dissect(colour_network(), colour_concepts(120), draws=49).units
    return Explainer(colour_network(), dissected, False, excesses=usual)


def unseen(images: int = 12) -> MemoryConcepts:
    """Other squares, in which blue and yellow are labelled as objects; their scenes are two of the classes."""
    world = colour_concepts(images)
    concepts = {7: Concept(7, "red-c", "color"), 8: Concept(8, "green-c", "color"), 9: Concept(9, "sky", "object")}
    concepts |= {10: Concept(10, "fire-s", "scene"), 11: Concept(11, "lawn-s", "scene")}
    numbers = np.array([0, 7, 8, 9, 9])
    labels = [
        Labels(numbers[entry.maps].astype(np.int32), ((10, 11)[index % 4],) if index % 4 < 2 else ())
        for index, entry in enumerate(world.all_labels)
    ]
    return replace(world, all_labels=labels, concepts=concepts, categories=("color", "object", "scene"))


def test_every_concept_of_an_image_is_known_by_its_key():
    ground = LabelledConcepts(unseen(), "digest")
    red, blue = ground.annotated(0), ground.annotated(2)
    assert set(red.places) == {"color/red", "scene/fire"}
    assert (red.places["color/red"].mask == (colour_concepts(12).all_labels[0].maps[0] == 1)).all()
    assert red.places["scene/fire"].mask.all()
    assert set(blue.places) == {"object/sky"}
    assert ground.vocabulary == {"color/red", "color/green", "object/sky", "scene/fire", "scene/lawn"}
    assert ground.scenes(CLASSES) == {"scene/fire": 0, "scene/lawn": 1}
    assert ground.scenes(("a", "b")) == {}


def test_a_dataset_that_named_the_neurons_is_refused(tmp_path):
    world = unseen()
    other = open_unseen(world, "another", limit=5)
    assert len(other) == 5
    assert other.identity() != open_unseen(world, "another").identity()
    with pytest.raises(ConceptDataError, match="memory gave these names"):
        open_unseen(world, open_unseen(world, "another").identity().split()[0], limit=5)


def sentences(explainer, tmp_path, **changes) -> list[SentenceRecord]:
    ground = LabelledConcepts(unseen(), "digest")
    speaker = OfPredictions(explainer, **changes)
    protocol = Words(speaker, "run", ground.vocabulary, ground.scenes(CLASSES), **changes)
    evaluate(protocol, explainer.network, [], ground, tmp_path, view="centre", execution=Execution(batch_size=5))
    lines = (tmp_path / "words.jsonl").read_text().splitlines()[1:]
    return [SentenceRecord.from_json(json.loads(line)) for line in lines]


def colour_scores(means) -> np.ndarray:
    return np.array(HEAD) @ (1 + np.array(means)) ** 2


def test_a_sentence_of_a_known_world(explainer, tmp_path):
    """Unit i sees colour i. A red square of 12 x 12 pixels lights unit 0 alone."""
    records = sentences(explainer, tmp_path)
    red, _, blue, _ = records[:4]
    assert red.sentence.startswith("The network says fire (53%) because its neuron for red (over 99%) responds")
    assert (red.predicted, red.scene, blue.scene) == (0, 0, None)
    assert red.labelled == {"color", "scene"}
    assert red.shows == {"color/red": pytest.approx(144 / 1024), "scene/fire": 1.0}
    mentions = {(mention.role, mention.concept): mention for mention in red.mentions}
    assert set(mentions) == {
        ("responds", "color/red"),
        ("absent", "color/green"),
        ("absent", "color/blue"),
        ("missed", "color/yellow"),
    }
    responding = mentions["responds", "color/red"]
    assert (responding.units, responding.is_there, responding.on_concept) == ((0,), True, 1)
    assert responding.said == pytest.approx(1)
    assert mentions["absent", "color/green"].is_there is False
    assert mentions["absent", "color/blue"].is_there is None  # the data has no such colour
    assert [mention.is_there for mention in blue.mentions] == [None] * len(blue.mentions)  # no colour is labelled
    share = 144 / 1024
    before, empty = colour_scores([share, 0, 0, 0])[0], colour_scores([0, 0, 0, 0])[0]
    assert red.emptied == pytest.approx(before - empty, rel=1e-5)
    outcomes = [(outcome.role, outcome.moved) for outcome in red.outcomes]
    assert len(outcomes) == 4
    assert outcomes[0] == ("responds", pytest.approx(before - empty, rel=1e-5))
    lit = [float(np.mean(unit.evidence.lit_map)) for unit in explainer.units]
    for unit, role, sign in ((1, "absent", -1), (2, "absent", -1), (3, "missed", 1)):
        means = [share, 0, 0, 0]
        means[unit] = lit[unit]
        assert (role, pytest.approx(sign * (colour_scores(means)[0] - before), rel=1e-4)) in outcomes


def test_random_units_are_not_spoken_of(explainer, tmp_path):
    """All four units are spoken of, or one is lit: so nothing can be compared."""
    assert all(not outcome.random for record in sentences(explainer, tmp_path) for outcome in record.outcomes)


def test_what_a_shuffled_head_says_is_of_the_same_class(explainer, tmp_path):
    records = sentences(explainer, tmp_path, seed=3)
    shuffled = replace(explainer, network=with_shuffled_head(explainer.network, seed=3))
    for record, photograph in zip(records, unseen().photographs, strict=True):
        (explanation,) = shuffled.explain([("", photograph)], target=record.predicted)
        assert record.shuffled == tuple((mention.role, mention.concept) for mention in mentions_of(explanation))
    assert any(record.shuffled != tuple((m.role, m.concept) for m in record.mentions) for record in records)


def test_nothing_depends_on_batches(explainer, tmp_path):
    ground = LabelledConcepts(unseen(), "digest")
    protocol = Words(OfPredictions(explainer), "run", ground.vocabulary, ground.scenes(CLASSES))
    one, other = (
        evaluate(
            protocol,
            explainer.network,
            [],
            ground,
            tmp_path / str(size),
            view="centre",
            execution=Execution(batch_size=size),
        )
        for size in (3, 12)
    )
    for row, same in zip(one.rows, other.rows, strict=True):
        assert row["key"] == same["key"]
        assert getattr(row["value"], "value", row["value"]) == pytest.approx(
            getattr(same["value"], "value", same["value"]), abs=1e-5, nan_ok=True
        )


def test_words_are_of_what_the_network_usually_sees(explainer, tmp_path):
    ground = LabelledConcepts(unseen(), "digest")
    with pytest.raises(NeuronExplainError, match="use --view centre"):
        evaluate(
            Words(OfPredictions(explainer), "run", frozenset(), {}),
            explainer.network,
            [],
            ground,
            tmp_path,
            view="whole",
        )


KEYS = ("object/a", "object/b", "object/c", "part/d")


def made_up(images: int = 30, seed: int = 0) -> list[SentenceRecord]:
    """Records of any content."""
    generator = np.random.default_rng(seed)

    def flip() -> bool:
        return bool(generator.random() < 0.5)

    def mention() -> JudgedMention:
        role = generator.choice(["responds", "against", "absent", "missed", "torn"], p=[0.5, 0.1, 0.2, 0.1, 0.1])
        has_area = role == "responds" and flip()
        key = str(generator.choice(KEYS[:1] if has_area else KEYS))
        return JudgedMention(
            str(role),
            key,
            tuple(generator.choice(6, 2, replace=False).tolist()),
            float(generator.random()) if role == "responds" else None,
            [True, False, None][int(generator.integers(3))],
            float(generator.random()) if has_area else None,
        )

    def outcome() -> Outcome:
        role = str(generator.choice(["responds", "against", "absent", "missed"]))
        return Outcome(role, float(generator.normal()), tuple(generator.normal(size=3 * flip()).tolist()))

    records = []
    for number in range(images):
        mentions = tuple(mention() for _ in range(int(generator.integers(4))))
        said = [(one.role, one.concept) for one in mentions]
        kept = [pair for pair in said if generator.random() < 0.8]
        records.append(
            SentenceRecord(
                image=str(number),
                predicted=int(generator.integers(3)),
                scene=[0, 1, 2, None][int(generator.integers(4))],
                sentence="",
                labelled=frozenset({"object"} | ({"part"} if flip() else set())),
                shows={"object/a": 0.25} | {key: float(generator.random()) for key in KEYS if flip()},
                mentions=mentions,
                outcomes=tuple(outcome() for _ in range(int(generator.integers(6)))),
                emptied=float(generator.normal(2)),
                shuffled=tuple(kept) if flip() else tuple(said),
            )
        )
    return records


def table(records, **changes):
    named = units()
    names = {unit.number: unit.name() for unit in named}
    options = {"names": names, "units": named, "max_q": 0.05, "by_scene": True} | changes
    meanings = {number: name.concept for number, name in options["names"].items() if name}
    return {row["key"]: row for row in words_report(records, meanings=meanings, **options).rows}


def values(row):
    return tuple(getattr(row[key], "value", row[key]) for key in ("value", "beside"))


def test_records_are_json():
    for record in made_up():
        assert SentenceRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_true_mentions(seed):
    records = made_up(seed=seed)
    found = table(records)

    def rate(key):
        labelled = [record for record in records if key.split("/")[0] in record.labelled]
        return sum(key in record.shows for record in labelled) / len(labelled)

    judged = [one for record in records for one in record.mentions if one.is_there is not None]
    responding = [one for one in judged if one.role == "responds"]
    absent = [one for one in judged if one.role == "absent"]
    assert values(found["responds-true"]) == (
        pytest.approx(100 * np.mean([one.is_there for one in responding])),
        pytest.approx(100 * np.mean([rate(one.concept) for one in responding])),
    )
    assert found["responds-true"]["over"] == f"{len(responding)} mentions"
    assert found["responds-true"]["measure"] == '"its neurons for X respond": X is there, %'
    of_features = table(records, noun="feature")["responds-true"]
    assert of_features == found["responds-true"] | {"measure": '"its features for X respond": X is there, %'}
    assert values(found["absent-true"]) == (
        pytest.approx(100 * np.mean([not one.is_there for one in absent])),
        pytest.approx(100 * np.mean([1 - rate(one.concept) for one in absent])),
    )
    numbers = [sum(one.role == "responds" for one in record.mentions) for record in records]
    assert values(found["mentions"])[0] == pytest.approx(np.mean(numbers))
    assert values(found["spoken"])[0] == pytest.approx(100 * np.mean([number > 0 for number in numbers]))
    errors = [(one.said - one.is_there) ** 2 for one in responding]
    assert values(found["brier"]) == (
        pytest.approx(np.mean(errors)),
        pytest.approx(np.mean([(rate(one.concept) - one.is_there) ** 2 for one in responding])),
    )
    pairs = [one.said > other.said for one in responding if one.is_there for other in responding if not other.is_there]
    assert values(found["auc"]) == (pytest.approx(np.mean(pairs)), 0.5)
    for low in range(0, 100, 20):
        in_bin = [one for one in responding if low <= 100 * one.said < low + 20]
        assert (f"said-{low}" in found) is bool(in_bin)
        if in_bin:
            assert values(found[f"said-{low}"]) == (
                pytest.approx(100 * np.mean([one.is_there for one in in_bin])),
                pytest.approx(100 * np.mean([one.said for one in in_bin])),
            )
    areas = [
        (one.on_concept, record.shows[one.concept])
        for record in records
        for one in record.mentions
        if one.on_concept is not None
    ]
    assert values(found["area"]) == tuple(pytest.approx(100 * mean) for mean in np.mean(areas, axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_moves_of_the_score(seed):
    records = made_up(seed=seed)
    found = table(records)
    for role in ("responds", "against", "absent", "missed"):
        outcomes = [one for record in records for one in record.outcomes if one.role == role]
        random = [draw for one in outcomes for draw in one.random]  # each has three, or none
        assert values(found[f"{role}-sign"]) == (
            pytest.approx(100 * np.mean([one.moved > 0 for one in outcomes])),
            pytest.approx(100 * np.mean([draw > 0 for draw in random])),
        )
        assert values(found[f"{role}-size"]) == (
            pytest.approx(np.mean([one.moved for one in outcomes])),
            pytest.approx(np.mean(random)),
        )
    lost = sum(one.moved for record in records for one in record.outcomes if one.role == "responds")
    assert values(found["held"])[0] == pytest.approx(100 * lost / sum(record.emptied for record in records))
    controlled = [record for record in records if all(one.random for one in record.outcomes if one.role == "responds")]
    drawn = sum(sum(one.random) / 3 for record in controlled for one in record.outcomes if one.role == "responds")
    assert values(found["held"])[1] == pytest.approx(100 * drawn / sum(record.emptied for record in controlled))


@pytest.mark.parametrize("seed", range(3))
def test_what_stays_with_a_shuffled_head(seed):
    records = made_up(seed=seed)
    found = table(records)
    kept = [[(one.role, one.concept) in record.shuffled for one in record.mentions] for record in records]
    assert values(found["shuffled-mentions"])[0] == pytest.approx(
        100 * np.mean([flag for flags in kept for flag in flags])
    )
    same = [
        sorted((one.role, one.concept) for one in record.mentions) == sorted(record.shuffled)
        for record in records
        if record.mentions
    ]
    assert values(found["shuffled-sentences"])[0] == pytest.approx(100 * np.mean(same))
    unknown = table([replace(record, shuffled=None) for record in records])
    assert np.isnan(values(unknown["shuffled-mentions"])[0])


@pytest.mark.parametrize("by_scene", [True, False])
def test_the_reader_of_a_table(by_scene):
    records = made_up(40)
    names = {unit: UnitName(unit, Concept(unit, KEYS[unit % 4][-1], KEYS[unit % 4][:-2]), 0.1, 20) for unit in range(6)}
    found = table(records, names=names, by_scene=by_scene, seed=5)["reader"]
    classes = [(record.scene if by_scene else record.predicted) for record in records]
    classes = [UNKNOWN if index is None else index for index in classes]
    present = [[key in record.shows for key in KEYS] for record in records]
    labelled = [[key[:-2] in record.labelled for key in KEYS] for record in records]

    def rightness(keys_of_units):
        right = []
        for image, record in enumerate(records):
            evidence = {
                (KEYS.index(keys_of_units[unit]), one.role != "absent")
                for one in record.mentions
                if one.role != "missed"
                for unit in one.units
            }
            beliefs = slow_beliefs(classes, present, labelled, image, evidence)
            if record.predicted in beliefs:
                right.append(max(beliefs, key=lambda index: (beliefs[index], -index)) == record.predicted)
        return 100 * np.mean(right)

    keys = [KEYS[unit % 4] for unit in range(6)]
    generator = np.random.default_rng(5)
    dealt = [rightness(generator.permutation(keys).tolist()) for _ in range(20)]
    assert values(found) == (pytest.approx(rightness(keys)), pytest.approx(np.mean(dealt)))


def test_names_that_chance_explains():
    named = units()
    named[2] = replace(named[2], evidence=replace(named[2].evidence, q=0.06))
    named[4] = replace(named[4], evidence=None)
    names = {unit.number: unit.name() for unit in named}
    row = table(made_up(), units=named, names=names)["by-chance"]
    assert (row["value"], row["over"]) == (pytest.approx(100 / 5), "5 names")


def test_agreement_against_all_deals():
    first, second = "aabbc", "abbbd"
    named = [
        {unit: UnitName(unit, Concept(unit + 1, name, "object"), 0.1, 20) for unit, name in enumerate(letters)}
        for letters in (first, second)
    ]
    named[0][9] = named[0][0]
    found = Agreement.of(*named)
    pairs = Counter(product(first, second))
    chance = sum(count for (one, other), count in pairs.items() if one == other) / 5
    assert (found.units, found.same, found.chance) == (5, 3, pytest.approx(chance))
    row = table(made_up(), agreement=found)["halves"]
    assert (row["value"], row["beside"], row["over"]) == (pytest.approx(60), pytest.approx(20 * chance), "5 units")
    assert Agreement.of({}, {}) == Agreement(0, 0, 0)


def test_halves_of_a_known_world_agree():
    found = agreement_of_halves(
        colour_network(), colour_concepts(80), quantile=0.005, min_images=5, min_iou=0.04, seed=0
    )
    assert (found.units, found.same) == (4, 4)


def test_halves_of_a_dataset_that_changes_its_mind_do_not():
    world, is_first = colour_concepts(80), halves(80, seed=3)
    labels = [
        entry if is_first[index] else Labels(np.where(entry.maps == 1, 5, entry.maps).astype(np.int32))
        for index, entry in enumerate(world.all_labels)
    ]
    world = replace(world, all_labels=labels, concepts=world.concepts | {5: Concept(5, "crimson-c", "color")})
    found = agreement_of_halves(colour_network(), world, quantile=0.005, min_images=5, min_iou=0.04, seed=3)
    assert (found.units, found.same) == (4, 3)


def test_a_selection_keeps_the_order_of_its_indices():
    world = colour_concepts(8)
    chosen = Selection(world, [5, 0])
    assert [chosen.image_name(index) for index in range(len(chosen))] == ["photo 5", "photo 0"]
    assert chosen.labels(0) is world.labels(5)
    assert chosen.name == "memory (2 of 8 images)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("words")
    write_colour_folder(root / "named", images=60)
    write_colour_folder(root / "unseen", images=24)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    return root


@pytest.fixture
def database(folder, run):
    path = folder / "n.db"
    if not path.exists():
        words = [*NETWORK, "--classes", folder / "classes.txt", "--concepts", folder / "named", "--db", path]
        assert run("build", *words, "--draws", 19)[0] == 0
    return path


def test_the_command_line_checks_words(folder, database, run, tmp_path):
    words = ["evaluate", "words", "--db", database, "--concepts", folder / "unseen", "--out", tmp_path]
    status, out, error = run(*words, "--halves")
    assert status == 0
    assert "How true the sentences about 24 images are" in out
    assert "95 %" in out
    assert "100.0 (100.0 to 100.0)" in out
    assert "looking at the photographs" in error
    journal = (tmp_path / "words.jsonl").read_bytes()
    (tmp_path / "words.jsonl").write_bytes(b"".join(journal.splitlines(keepends=True)[:18]))
    status, out, _ = run(*words, "--json")
    found = {row["key"]: row for row in json.loads(out)["rows"]}
    assert (tmp_path / "words.jsonl").read_bytes() == journal
    assert found["responds-true"]["value"]["value"] == 100
    assert found["responds-true"]["beside"]["value"] == pytest.approx(25)
    assert found["responds-sign"]["value"]["value"] == 100
    assert "halves" not in found  # what was not asked for again
    status, _, error = run(*words, "--top", 1)
    assert status == 2
    assert "another settings" in one_line(error)


def test_mistakes_are_told_in_a_line(folder, database, run, tmp_path):
    bare = tmp_path / "bare.db"
    build = [*NETWORK, "--classes", folder / "classes.txt", "--concepts", folder / "named", "--db", bare, "--draws", 0]
    assert run("build", *build)[0] == 0
    for words, said in (
        (["--db", database], "with --concepts, or a number of scenes with --scenes"),
        (["--db", database, "--concepts", folder / "unseen", "--scenes", 4], "with --concepts, or a number of scenes"),
        (["--db", database, "--concepts", folder / "named"], "gave these names"),
        (["--db", database, "--concepts", folder / "named", "--limit", 9], "gave these names"),
        (["--db", database, "--concepts", tmp_path / "nowhere"], "there is no such folder"),
        (["--db", bare, "--concepts", folder / "unseen"], "run 1 keeps no evidence for names"),
    ):
        status, out, error = run("evaluate", "words", *words, "--out", tmp_path / "out")
        assert (status, out) == (2, "")
        assert said in one_line(error)


def test_scenes_are_drawn_once(database, run, tmp_path):
    words = ["evaluate", "words", "--db", database, "--scenes", 4, "--out", tmp_path, "--json"]
    status, out, _ = run(*words)
    assert status == 0
    drawn = tmp_path / "scenes-4-2"
    first = (drawn / "index.csv").stat().st_mtime_ns
    assert run(*words)[:2] == (0, out)
    assert (drawn / "index.csv").stat().st_mtime_ns == first
