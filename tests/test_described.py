"""Described scenes: what is in them, what is said of them, and the networks that say it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from dissection.concepts.generated import write_described
from dissection.concepts.layouts import open_concepts
from dissection.errors import NetworkError
from dissection.networks.opening import open_network
from dissection.scenes.described import networks
from dissection.scenes.described.language import (
    ANSWERS,
    QUESTION_WORDS,
    WORD_KINDS,
    caption,
    known_questions,
    questions,
    spoken_words,
)
from dissection.scenes.described.lessons import drawn, lessons
from dissection.scenes.described.networks import WEIGHTS, WORDS, encode, generate, log_probabilities
from dissection.scenes.described.scene import (
    THING_COLORS,
    THINGS,
    DescribedScene,
    DescribedThing,
    draw_cast,
    draw_described,
)
from dissection.scenes.described.training import (
    FeatureTraining,
    HeadTraining,
    train_answerer,
    train_captioner,
    train_features,
    train_sight,
)
from dissection.scenes.dice import Dice
from dissection.scenes.palette import SHADES, rgb
from dissection.scenes.scene import scene_class
from dissection.scenes.training import normalise, pixels, stacked
from dissection.scenes.words import CONCEPTS, SCENE_CLASSES, number

if TYPE_CHECKING:
    from pathlib import Path

SCENES = 240


@pytest.fixture(scope="module")
def scenes() -> list[DescribedScene]:
    return [draw_described(3, index) for index in range(SCENES)]


def test_a_scene_depends_on_its_seed_and_index_alone(scenes: list[DescribedScene]) -> None:
    again = draw_described(3, 17)
    assert again.scene.photograph.tobytes() == scenes[17].scene.photograph.tobytes()
    assert draw_described(4, 17).scene.photograph.tobytes() != again.scene.photograph.tobytes()


def test_each_place_comes_as_often_as_the_others(scenes: list[DescribedScene]) -> None:
    assert Counter(described.place for described in scenes) == dict.fromkeys(SCENE_CLASSES, SCENES // 12)


def test_one_thing_or_two_are_there_of_all_that_can_be_described(scenes: list[DescribedScene]) -> None:
    numbers = Counter(len(described.things) for described in scenes)
    assert numbers.keys() == {1, 2}
    assert 0.2 < numbers[1] / len(scenes) < 0.4
    for described in scenes:
        names = {thing.name for thing in described.things}
        assert len(names) == len({thing.color for thing in described.things}) == len(described.things)
        shown = {CONCEPTS[found - 1].name for found in np.unique(described.scene.labels["object"])}
        assert shown & set(THINGS) == names
        for thing in described.things:
            objects = described.scene.labels["object"]
            np.testing.assert_array_equal(thing.mask, objects == number("object", thing.name))
            assert thing.mask.sum() > 150, caption(described)
            columns = np.nonzero(thing.mask)[1]
            assert (columns.max() < 59) if thing.side == "left" else (columns.min() > 53)


def test_things_are_painted_in_their_colour(scenes: list[DescribedScene]) -> None:
    """Most of what is coloured of a thing is nearer to its shades than to those of the other colours, by day."""
    shades = np.array([[rgb(code) for code in SHADES[color]] for color in THING_COLORS], np.float64)
    right = total = 0
    for described in scenes:
        photograph = np.asarray(described.scene.photograph.resize((112, 112)), np.float64)
        for thing in described.things:
            distances = np.linalg.norm(photograph[thing.mask][:, None, None] - shades, axis=-1).min(-1)
            near = distances.min(1) < 45
            votes = Counter(distances[near].argmin(1).tolist())
            right += THING_COLORS.index(thing.color) in [color for color, _ in votes.most_common(2)]
            total += 1
    assert right / total > 0.8


def test_a_scene_has_the_cast_that_its_dice_draw() -> None:
    for index in (0, 7):
        described = draw_described(9, index)
        cast = draw_cast(Dice(9, index, 2))
        assert [(thing.name, thing.color, thing.side) for thing in described.things] == cast
        assert described.place == scene_class(index)


def test_what_stands_there_does_not_depend_on_the_place_nor_a_colour_on_its_thing() -> None:
    rows = [
        (scene_class(index), name, color) for index in range(600) for name, color, _ in draw_cast(Dice(9, index, 2))
    ]
    for first, second in combinations(range(3), 2):
        pairs = Counter((row[first], row[second]) for row in rows)
        kinds = len({row[first] for row in rows}) * len({row[second] for row in rows})
        assert len(pairs) == kinds
        expected = len(rows) / kinds
        chi = sum((count - expected) ** 2 / expected for count in pairs.values())
        assert chi < kinds + 4 * (2 * kinds) ** 0.5


def test_captions_say_what_is_there_from_left_to_right(scenes: list[DescribedScene]) -> None:
    for described in scenes:
        words = re.fullmatch(r"a (\w+) (\w+)(?: and a (\w+) (\w+))? (?:in|on) the (\w+)", caption(described))
        assert words is not None
        things = [word for thing in described.things for word in (thing.color, thing.name)]
        assert [word for word in words.groups() if word] == [*things, described.place]
        assert set(caption(described).split()) <= set(WORD_KINDS)


def test_questions_are_answered_by_what_is_there(scenes: list[DescribedScene]) -> None:
    answers: dict[str, Counter[str]] = {}
    for index, described in enumerate(scenes):
        names = {thing.name: thing for thing in described.things}
        colors = {thing.color: thing for thing in described.things}
        sides: dict[str, DescribedThing] = {thing.side: thing for thing in described.things}
        for question in questions(described, Dice(3, index, 3)):
            answers.setdefault(question.kind, Counter())[question.answer] += 1
            assert question.text in known_questions()
            assert question.answer in ANSWERS
            match spoken_words(question.text):
                case ["what", "colour", "is", "the", name]:
                    assert question.answer == names[name].color
                case ["what", "is", "on", "the", side]:
                    assert question.answer == sides[side].name
                case ["what", "is", color]:
                    assert question.answer == colors[color].name
                case ["is", "there", _, name]:
                    assert question.answer == ("yes" if name in names else "no")
                case _:
                    assert question.answer == described.place
            if question.about is not None:
                thing = described.things[question.about]
                assert {thing.name, thing.color} & {question.answer, *spoken_words(question.text)}
    assert answers["presence"]["yes"] == answers["presence"]["no"]
    for counts in answers.values():
        assert max(counts.values()) < 1.6 * sum(counts.values()) / len(counts)


def test_a_question_is_read_whatever_its_case_and_mark() -> None:
    numbers = encode("What colour is the car?")
    assert torch.equal(numbers, encode("what colour is the car ?"))
    words = [QUESTION_WORDS[value - 1] for value in numbers[0].tolist() if value]
    assert words == ["what", "colour", "is", "the", "car"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [("", "0 words"), ("? ?", "0 words"), ("is " * 17, "17 words"), ("what colour is the zebra?", "'zebra'")],
)
def test_a_question_that_cannot_be_read_is_refused(question: str, reason: str) -> None:
    with pytest.raises(NetworkError, match=reason):
        encode(question)


def test_a_folder_of_described_scenes_is_concept_data(tmp_path: Path) -> None:
    write_described(tmp_path / "scenes", images=36, seed=3)
    data = open_concepts(tmp_path / "scenes")
    assert len(data) == 36
    names = {concept.spoken for concept in data.concepts.values()}
    assert set(THINGS) | set(THING_COLORS) <= names


def test_the_networks_come_with_the_package_and_see_with_the_same_weights() -> None:
    captioner, answerer = open_network("scenes/captioner"), open_network("scenes/answerer")
    assert captioner.fingerprint == answerer.fingerprint
    assert captioner.layer.name == answerer.layer.name == networks.LAYER
    for path in WEIGHTS.values():
        assert path.stat().st_size < 3_000_000


def test_log_probabilities_are_those_of_the_words_that_are_written(scenes: list[DescribedScene]) -> None:
    module = networks.captioner()
    images = normalise(stacked([pixels(described.scene.photograph) for described in scenes[:6]]))
    for image, said in zip(images.split(1), generate(module, images), strict=True):
        tokens = torch.tensor(said)
        with torch.no_grad():
            logs = log_probabilities(module, image, tokens)
            after = module(image, tokens[None])[0, -1]
        assert torch.equal(logs[0].argmax(1), tokens)
        assert WORDS[int(after.argmax())] == "."


def test_networks_say_what_is_in_unseen_scenes() -> None:
    described = [draw_described(8000, index) for index in range(48)]
    captioner, answerer = open_network("scenes/captioner"), open_network("scenes/answerer")
    images = normalise(stacked([pixels(one.scene.photograph) for one in described]))
    said = captioner.captions(images)
    pairs = [
        pair
        for one, text in zip(described, said, strict=True)
        for pair in zip(caption(one).split(), text.split(), strict=False)
        if WORD_KINDS[pair[0]] != "function"
    ]
    assert np.mean([word == other for word, other in pairs]) > 0.7
    right = []
    for index, one in enumerate(described):
        for question in questions(one, Dice(8000, index, 3)):
            with torch.no_grad():
                scores = answerer.asked(question.text).module(images[index : index + 1])
            right.append(ANSWERS[int(scores.argmax())] == question.answer)
    assert np.mean(right) > 0.7


def test_training_learns_and_does_the_same_each_time() -> None:
    concepts = [number("object", name) for name in THINGS]
    material = lessons([drawn(1, concepts, index) for index in range(96)])
    losses: list[str] = []
    of_features = FeatureTraining(epochs=3)
    features, same = (train_features(material, of_features, progress=losses.append) for _ in range(2))
    assert all(map(torch.equal, features.parameters(), same.parameters()))
    short = HeadTraining(epochs=8, batch=24)
    sight, same_sight = (train_sight(features, material, short, progress=losses.append) for _ in range(2))
    assert all(map(torch.equal, sight.parameters(), same_sight.parameters()))
    with torch.no_grad():
        vectors = sight(normalise(material.images))
    assert vectors.mean(0).abs().max() < 1e-3
    train_captioner(sight, material, short, progress=losses.append)
    train_answerer(sight, material, short, progress=losses.append)
    for stage in ("features", "sight", "captions", "answers"):
        of_stage = [float(line.rpartition(" ")[2]) for line in losses if line.startswith(stage)]
        assert of_stage[-1] < 0.8 * of_stage[0]
