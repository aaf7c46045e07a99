"""How much a class leans on a concept: against the definitions written out slowly, in a world with known answers."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hair_world import CLASSES, HEADS, PEOPLE, SIDE, hair_network, people, write_hair_world, write_masks

from db.errors import ConceptNotFoundError
from dissection.concepts.layouts import open_concepts
from dissection.errors import CheckpointError, ClassNotFoundError, ConceptDataError
from dissection.execution.settings import Execution
from neuronexplain.audit.effect.covering import AuditDraws, elsewhere, elsewhere_often, has_room
from neuronexplain.audit.effect.effect import audit_effect
from neuronexplain.audit.effect.leaning_records import Covered, LeaningRecord, Silenced
from neuronexplain.audit.effect.named_network import NamedNetwork
from neuronexplain.audit.effect.photographs import audited_photographs, of_folder
from neuronexplain.audit.effect.verdicts import verdict
from neuronexplain.audit.effect.ways import LEAST, Way, correlation_way, neurons_way, pixels_way
from neuronexplain.class_images import open_class_images
from neuronexplain.metrics.intervals import UNKNOWN, Figure, correlation
from neuronexplain.metrics.like_units import like_units

DRAWS = AuditDraws(count=3, seed=5)
HAIR = 0
"""The unit that responds to hair."""


@pytest.fixture(scope="module")
def world(made_once):
    return made_once("hair-world", write_hair_world)


@pytest.fixture(scope="module")
def named(world):
    return {name: NamedNetwork.from_store(hair_network(name), str(world / f"{name}.db")) for name in HEADS}


@pytest.fixture(scope="module")
def masks(world):
    return open_concepts(world / "hair-masks")


def nurses(world):
    return of_folder(open_class_images(world / "photos", CLASSES), 0, CLASSES)


@pytest.fixture(scope="module")
def reliances(world, named, masks):
    found = {}
    for name, network in named.items():
        photographs = audited_photographs(CLASSES, 0, nurses(world), masks)
        leaning = network.leaning("nurse", "hair", masks)
        found[name] = audit_effect(network, leaning, photographs, draws=DRAWS)
    return found


def slow_score(pixels, target, head, *, without=()):
    """The score of a picture (h w 3) in bytes, from the definition of the network."""
    red, green, blue = (pixels[..., channel].astype(float) / 255 for channel in range(3))
    maps = [red - green - blue, green - red - blue, blue - red - green, red + green - blue - 1]
    means = [0.0 if unit in without else float(np.maximum(each, 0).mean()) for unit, each in enumerate(maps)]
    score = sum(weight * (1 + mean) ** 2 for weight, mean in zip(head[target], means, strict=True))
    total = sum(abs(2 * weight * (1 + mean) * mean) for weight, mean in zip(head[target], means, strict=True))
    return score, total, means


@pytest.mark.parametrize("name", HEADS)
def test_the_records_are_their_definitions(name, reliances, world, named):
    head, reliance = HEADS[name], reliances[name]
    shown = sorted(people(PEOPLE), key=lambda person: person.shows != "nurse")  # the folder first, and then the others
    assert [record.is_of_class for record in reliance.records] == [person.shows == "nurse" for person in shown]
    threshold = named[name].thresholds[HAIR]
    for number, (record, person) in enumerate(zip(reliance.records, shown, strict=True)):
        pixels = np.asarray(person.photograph())
        score, total, means = slow_score(pixels, 0, head)
        assert record.score == pytest.approx(score, abs=1e-5)
        assert record.total == pytest.approx(total, abs=1e-5)
        assert record.is_there == ("hair" in person.squares)
        lit = [value for value in (pixels[..., 0] / 255).ravel() if value > threshold]
        assert record.lit == pytest.approx(2 * head[0][HAIR] * (1 + means[HAIR]) * sum(lit) / SIDE**2, abs=1e-5)
        if not record.is_of_class:
            assert (record.silenced, record.covered) == (None, None)
            continue
        assert record.silenced.loss == pytest.approx(score - slow_score(pixels, 0, head, without=[HAIR])[0], abs=1e-5)
        generator = np.random.default_rng((DRAWS.seed, number))
        for random in record.silenced.random:
            others = like_units([HAIR], np.array(means), range(4), generator)
            expected = score - slow_score(pixels, 0, head, without=others)[0]
            assert random == pytest.approx(expected, abs=1e-5)
        if "hair" not in person.squares:
            assert record.covered is None
            continue
        region = (pixels == (255, 0, 0)).all(2)
        moved = elsewhere_often(region, region, DRAWS, number)
        falls = [score - slow_score(np.where(one[..., None], 0, pixels), 0, head)[0] for one in (region, *moved)]
        assert record.covered.fall == pytest.approx(falls[0], abs=1e-5)
        assert record.covered.elsewhere == pytest.approx(falls[1:], abs=1e-5)
        assert record.covered.area == region.mean() == 64 / SIDE**2


@pytest.mark.parametrize("name", HEADS)
def test_the_figures_are_their_definitions(name, reliances):
    reliance = reliances[name]
    neurons, pixels, association = reliance.ways
    of_class = [record for record in reliance.records if record.is_of_class]
    lost, total = sum(record.silenced.loss for record in of_class), sum(record.total for record in of_class)
    random = sum(np.mean(record.silenced.random) for record in of_class)
    assert neurons.figure.value == pytest.approx(100 * lost / total)
    assert neurons.beside["random"].value == pytest.approx(100 * random / total)
    assert neurons.excess.value == pytest.approx(100 * (lost - random) / total)
    assert neurons.beside["loss"].value == pytest.approx(lost / len(of_class))
    still = np.mean([record.silenced.is_right for record in of_class])
    assert neurons.beside["still_right"].value == pytest.approx(100 * still)
    covered = [record for record in of_class if record.covered]
    further = sum(record.covered.fall - np.mean(record.covered.elsewhere) for record in covered)
    assert pixels.figure.value == pytest.approx(100 * further / sum(record.total for record in covered))
    assert (pixels.photographs, neurons.photographs) == (12, 16)
    there = [record for record in reliance.records if record.is_there]
    rest = [record for record in reliance.records if not record.is_there]
    shares = [100 * sum(one.lit for one in some) / sum(one.total for one in some) for some in (there, rest)]
    assert association.figure.value == pytest.approx(shares[0] - shares[1])
    assert association.photographs == min(len(there), len(rest)) == 16
    for way in reliance.ways:
        assert way.figure.low <= way.figure.value <= way.figure.high


def test_the_biased_class_leans_on_hair_in_all_three_ways_and_the_balanced_one_in_none(reliances):
    assert [way.lean for way in reliances["biased"].ways] == ["leans"] * 3
    assert [way.lean for way in reliances["balanced"].ways] == ["no"] * 3
    said = reliances["biased"].verdict
    assert said.sentence.startswith("nurse leans on hair: without its proven neuron for hair its score falls by ")
    assert "; covering hair costs it " in said.sentence
    assert said.meanings == ()
    assert reliances["balanced"].verdict.opening == "nurse does not lean on hair"


def test_a_concept_without_a_proven_neuron_is_said(named, masks):
    leaning = named["biased"].leaning("nurse", "shoes", masks)
    reliance = audit_effect(named["biased"], leaning, audited_photographs(CLASSES, 0, (), masks), draws=DRAWS)
    assert [way.lean for way in reliance.ways] == ["unknown"] * 3
    assert reliance.verdict.overall == "undecided"
    assert reliance.verdict.sentence == (
        "Whether nurse leans on shoes is undecided: no neuron has the proven name shoes; it is labelled in no "
        "photograph of the class."
    )


def test_without_masks_only_the_neurons_tell(named, world):
    leaning = named["biased"].leaning("nurse", "hair")
    reliance = audit_effect(named["biased"], leaning, audited_photographs(CLASSES, 0, nurses(world)), draws=DRAWS)
    assert [way.lean for way in reliance.ways] == ["leans", "unknown", "unknown"]
    assert reliance.verdict.overall == "leans"
    assert reliance.verdict.sentence.endswith("; no masks say where hair is.")


def test_few_photographs_leave_it_undecided(named, world):
    photographs = audited_photographs(CLASSES, 0, nurses(world)[:9])
    reliance = audit_effect(named["biased"], named["biased"].leaning("nurse", "hair"), photographs, draws=DRAWS)
    assert reliance.ways[0].lean == "undecided"
    assert "but 9 photographs are too few to tell" in reliance.verdict.sentence


def test_which_photographs_are_the_class(named, masks, world):
    leaning = named["biased"].leaning("nurse", "hair", masks)
    predicted = audit_effect(named["biased"], leaning, audited_photographs(CLASSES, 0, (), masks), draws=DRAWS)
    assert [record.is_of_class for record in predicted.records] == [record.is_right for record in predicted.records]
    labelled = audit_effect(
        named["biased"], leaning, audited_photographs(CLASSES, 0, (), masks, thing="coat"), draws=DRAWS
    )
    assert sum(record.is_of_class for record in labelled.records) == 32
    assert labelled.origin == "the photographs of hair-masks labelled coat"
    joined = audited_photographs(CLASSES, 0, nurses(world), masks)
    assert joined.origin == "16 photographs in the folder of nurse, 16 of them with masks of hair-masks"
    with pytest.raises(ConceptDataError, match="no photographs of nurse"):
        audited_photographs(CLASSES, 0)
    folder = open_class_images(world / "photos", CLASSES)
    of_nurses = tuple(image for image in folder.images if image[1] == 0)
    with pytest.raises(ConceptDataError, match="no photographs of zebra, but of nurse;"):
        of_folder(replace(folder, images=of_nurses), 2, CLASSES)


def test_what_the_class_is_is_not_covered_elsewhere(named, tmp_path):
    """Where a coat says what a nurse is, none of the other places that are covered touches it."""
    shown = [person for person in people(PEOPLE) if person.shows == "nurse"]
    data = open_concepts(write_masks(tmp_path / "data", shown))
    leaning = named["biased"].leaning("nurse", "hair", data)
    reliance = audit_effect(
        named["biased"], leaning, audited_photographs(CLASSES, 0, (), data, thing="coat"), draws=DRAWS
    )
    falls = [fall for record in reliance.records if record.covered for fall in record.covered.elsewhere]
    assert len(falls) == 3 * 12
    assert np.abs(falls).max() < 1e-5
    assert reliance.ways[1].beside["elsewhere"].value == pytest.approx(0, abs=1e-5)


def slow_places(taken, shape):
    """Where a shape can lie, place by place."""
    height, width = shape.shape
    return {
        (row, column)
        for row in range(taken.shape[0] - height + 1)
        for column in range(taken.shape[1] - width + 1)
        if not (taken[row : row + height, column : column + width] & shape).any()
    }


def test_a_shape_moves_wherever_it_fits():
    generator = np.random.default_rng(0)
    region, taken = np.zeros((9, 11), bool), np.zeros((9, 11), bool)
    region[2:5, 3], region[4, 3:6] = True, True
    taken[6:, 7:] = True
    taken |= region
    expected = slow_places(taken, region[2:5, 3:6])
    seen = set()
    for _ in range(600):
        moved = elsewhere(region, taken, generator)
        assert moved.sum() == region.sum()
        assert not (moved & taken).any()
        row, column = np.argwhere(moved).min(0).tolist()
        assert (moved[row : row + 3, column : column + 3] == region[2:5, 3:6]).all()
        seen.add((row, column))
    assert seen == expected


def test_a_shape_that_fits_nowhere_becomes_a_patch():
    region = np.zeros((8, 8), bool)
    region[:, ::2] = True
    region[0, 1] = True
    region[0, 0] = False
    assert has_room(region, region)
    moved = elsewhere(region, region, np.random.default_rng(0))
    assert (moved == ~region).all()
    assert not has_room(np.ones((8, 8), bool), np.ones((8, 8), bool))
    assert not has_room(np.zeros((8, 8), bool), region)


def test_a_patch_is_what_lies_nearest_to_a_pixel():
    region = np.zeros((10, 10), bool)
    region[:, 4:6] = True
    region[0, :], region[0, 0] = True, False  # as wide as the picture, so that it can only move down
    region[9, 9] = True
    taken = region.copy()
    moved = elsewhere(region, taken, np.random.default_rng(1))
    assert moved.sum() == region.sum()
    assert not (moved & taken).any()
    free = np.argwhere(~taken)
    inside = {tuple(pixel) for pixel in np.argwhere(moved).tolist()}
    radii = []
    for middle in free:
        distances = ((free - middle) ** 2).sum(1)
        nearest = {tuple(free[place]) for place in np.argsort(distances, kind="stable")[: int(region.sum())]}
        radii.append(nearest == inside)
    assert any(radii)


def test_a_correlation_with_its_interval():
    generator = np.random.default_rng(3)
    there = generator.random(40) < 0.4
    values = there + generator.normal(size=40)
    measured = correlation(values, there)
    assert measured.value == pytest.approx(np.corrcoef(values, there)[0, 1])
    redrawn = np.random.default_rng(0)  # as intervals draws, in slow motion
    slow = []
    for _ in range(2000):
        drawn = redrawn.integers(40, size=40)
        if np.ptp(there[drawn].astype(float)):
            slow.append(np.corrcoef(values[drawn], there[drawn])[0, 1])
    assert (measured.low, measured.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=1e-9)
    assert correlation([1, 1, 1], [0, 1, 0]).images == 0
    assert correlation([], []).images == 0


def way(name="neurons", excess=(5, 4, 6), alone=None, photographs=30, figure=None):
    measured = Figure(*excess, photographs)
    beside = dict.fromkeys(("random", "fall", "elsewhere", "correlation"), Figure(0.1, 0.05, 0.2, photographs))
    return Way(
        name,
        Figure(*figure, photographs) if figure else measured,
        measured,
        Figure(*(alone or excess), photographs),
        photographs,
        beside,
    )


@pytest.mark.parametrize(
    ("made", "lean"),
    [
        (way(), "leans"),
        (way(excess=(1.5, 0.9, 2)), "undecided"),
        (way(excess=(0.1, -0.5, 0.7)), "no"),
        (way(excess=(-4, -5, -3)), "against"),
        (way(excess=(-4, -5, -3), alone=(2, 1.5, 2.5)), "no"),  # it falls, but less than with others
        (way(excess=(3, 2, 4), alone=(-2, -3, -1.5)), "no"),  # it rises, but less than with others
        (way(excess=(3, 2, 4), alone=(0.5, -0.5, 1.5)), "undecided"),
        (way(photographs=9), "undecided"),
        (replace(way(), figure=UNKNOWN), "unknown"),
    ],
)
def test_what_a_way_says(made, lean):
    assert made.lean == lean
    assert LEAST == 1


LEANS, NO, AGAINST, OPEN = ((5, 4, 6), (0, -0.5, 0.5), (-5, -6, -4), (1, 0, 2))


@pytest.mark.parametrize(
    ("neurons", "pixels", "association", "overall", "meaning"),
    [
        (LEANS, LEANS, LEANS, "leans", ""),
        (NO, NO, NO, "no", ""),
        (AGAINST, AGAINST, AGAINST, "against", ""),
        (LEANS, OPEN, OPEN, "leans", ""),
        (OPEN, OPEN, LEANS, "undecided", ""),
        (LEANS, NO, LEANS, "disagree", "it responds to something besides hair"),
        (NO, LEANS, NO, "disagree", "neurons that have another name, or none"),
        (NO, NO, LEANS, "disagree", "association without use"),
        (LEANS, LEANS, NO, "disagree", "puts hardly more into the score than elsewhere"),
        (LEANS, LEANS, AGAINST, "disagree", "puts less into the score than elsewhere"),
        (LEANS, AGAINST, LEANS, "disagree", "By one way hair speaks for nurse, by the other against it"),
    ],
)
def test_where_ways_disagree_it_is_said_what_that_means(neurons, pixels, association, overall, meaning, named):
    leaning = named["biased"].leaning("nurse", "hair")
    ways = [way("neurons", neurons), way("pixels", pixels), way("correlation", association)]
    said = verdict(leaning, ways)
    assert said.overall == overall
    assert meaning in " ".join(said.meanings)
    assert bool(said.meanings) == bool(meaning)
    if overall == "leans":
        assert said.opening == "nurse leans in small part on hair"
        assert verdict(leaning, [way("neurons", (12, 11, 13)), *ways[1:]]).opening == "nurse leans on hair"


def test_many_neurons_are_spoken_of_as_many(named):
    leaning = replace(named["biased"].leaning("nurse", "hair"), units=(3, 4))
    matters, hardly = verdict(leaning, [way("neurons", LEANS), way("pixels", NO), way("correlation", NO)]).meanings
    assert matters.startswith("The neurons matter and the pixels do not: they respond to something besides hair, ")
    assert hardly == (
        "Where there is hair the neurons put hardly more into the score than elsewhere: they respond to something else."
    )


def record(**changes):
    plain = LeaningRecord("a", 0, True, 1.0, 0.5, True, 2.0, None, None, False, None, None)
    return replace(plain, **changes)


def test_what_cannot_be_measured_is_said():
    assert neurons_way([], no_units="").remark == "there is no photograph of the class"
    crowded = pixels_way([record(has_no_room=True)], no_masks="")
    assert crowded.remark == "in 1 photograph it leaves no room to cover as much elsewhere"
    always = correlation_way([record(is_there=True, lit=1.0)] * 3, no_units="", no_masks="")
    assert always.remark == "it is on all of 3 photographs labelled in its category"
    alone = neurons_way([record(silenced=Silenced(1.0, 0.4, False, ()))] * 12, no_units="")
    assert alone.remark == "there are not as many other neurons to compare with"
    assert alone.figure == alone.excess
    idle = record(total=0.0, silenced=Silenced(0.0, 0.5, True, (0.0,)), covered=Covered(0.1, 0.0, (0.0,)), lit=0.0)
    idle_ways = [
        neurons_way([idle] * 12, no_units=""),
        pixels_way([idle] * 12, no_masks=""),
        correlation_way([replace(idle, is_there=number < 6) for number in range(12)], no_units="", no_masks=""),
    ]
    assert {way.remark for way in idle_ways} == {"no neuron of the layer puts anything into the score of the class"}
    some = pixels_way([record(covered=Covered(0.1, 1.0, (0.5,))), record(has_no_room=True)], no_masks="")
    assert some.remark.startswith("in 1 photograph it leaves no room")


def test_what_is_asked_for_must_be_there(named, masks):
    network = named["biased"]
    with pytest.raises(ConceptNotFoundError, match="know a concept 'hare'; choose one of their 4, such as hair"):
        network.leaning("nurse", "hare", masks)
    with pytest.raises(ClassNotFoundError, match="no class 'surgeon'"):
        network.leaning("surgeon", "hair", masks)
    assert network.leaning("nurse", "object/HAIR", masks).units == (HAIR,)


def test_an_audit_that_was_stopped_is_resumed(named, masks, tmp_path):
    network, journal = named["biased"], tmp_path / "effect.jsonl"
    leaning, photographs = network.leaning("nurse", "hair", masks), audited_photographs(CLASSES, 0, (), masks)
    whole = audit_effect(network, leaning, photographs, draws=DRAWS, journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:30]))  # in the midst of a batch
    counted = []
    execution = Execution(progress=lambda *stage: counted.append(stage[1]))
    again = audit_effect(network, leaning, photographs, draws=DRAWS, journal=journal, execution=execution)
    assert counted[0] == 16
    assert journal.read_bytes() == b"".join(lines)
    assert again.to_json() == whole.to_json() == audit_effect(network, leaning, photographs, draws=DRAWS).to_json()
    with pytest.raises(CheckpointError, match="another draws"):
        audit_effect(network, leaning, photographs, draws=AuditDraws(), journal=journal)


def test_nobodys_network_is_changed(named, world):
    network = named["biased"]
    before = {key: value.clone() for key, value in network.network.module.state_dict().items()}
    audit_effect(network, network.leaning("nurse", "hair"), audited_photographs(CLASSES, 0, nurses(world)[:4]))
    for key, value in network.network.module.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in network.network.module.parameters())


ASKED = ["audit", "effect", "--concept", "hair", "--class", "nurse"]


def test_the_command_tells_people_and_programs(run, world, tmp_path):
    words = [*ASKED, world / "photos", "--masks", world / "hair-masks", "--db", world / "biased.db"]
    status, out, error = run(*words, "--out", tmp_path / "hair")
    assert status == 0, error
    assert out.startswith("nurse leans on hair: without its proven neuron")
    assert "16 photographs in the folder of nurse, 16 of them with masks" in out
    page = (tmp_path / "hair" / "index.html").read_text()
    assert page.count("<img") > 20
    assert "<script" not in page
    assert "falls by" in page
    status, out, _ = run(*words, "--json")
    assert status == 0
    told = json.loads(out)
    assert told["overall"] == "leans"
    assert [way["lean"] for way in told["ways"]] == ["leans"] * 3
    assert told == json.loads((tmp_path / "hair" / "effect.json").read_text())
    status, out, _ = run(*words, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["way"] for row in rows] == ["neurons", "pixels", "correlation"]
    assert float(rows[0]["figure"]) == pytest.approx(told["ways"][0]["figure"]["value"])


def test_the_command_refuses_in_one_line(run, world, tmp_path):
    database = ["--db", world / "biased.db"]
    for words, said in (
        ([*ASKED, *database], "there are no photographs of nurse"),
        ([*ASKED, world / "nowhere", *database], "is not a folder"),
        ([*ASKED, world / "photos", *database, "--json", "--csv"], "two forms of one answer"),
        (["audit", "effect", "--concept", "hare", "--class", "nurse", world / "photos", *database], "such as hair"),
        ([*ASKED, world / "photos", *database, "--thing", "coat"], "--thing"),
    ):
        status, _, error = run(*words)
        assert status == 2, said
        assert said in error
        assert "Traceback" not in error
