"""``neuronexplain study``: making, results, and what is refused, from the command line."""

import csv
import io
import json
from functools import partial

import numpy as np
import pytest
import torch
from human_studies import rate_all, right_answer, small_study
from PIL import Image
from safetensors.torch import save_file
from test_cli import one_line
from worlds import colour_network

from dissection.scenes.classifier import scenes_network
from dissection.scenes.scene import draw_scene
from neuronexplain.evaluation.ground_truth.opening import open_ground
from neuronexplain.evaluation.ground_truth.scene_pairs import ScenePairs
from neuronexplain.studies.human.designs import Discrimination, _word
from neuronexplain.studies.human.folder import open_study
from neuronexplain.studies.human.ratings import Ratings
from neuronexplain.studies.human.stimuli import Subject

CLASSES = ["cat", "dog", "car"]
SCENES = ["--network", "scenes", "--kind", "scenes"]


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """The shipped network's weights with noise, which makes a weaker network of it."""
    torch.manual_seed(0)
    state = scenes_network().state_dict()
    noisy = {name: value + 0.3 * value.std() * torch.randn_like(value) for name, value in state.items()}
    path = tmp_path_factory.mktemp("weak") / "weak.safetensors"
    save_file(noisy, path)
    return path


def test_two_networks_with_the_same_right_prediction(run, tmp_path, weak):
    out = tmp_path / "t"
    words = ["--weights-2", weak, "--method", "guided-grad-cam", "--images", 3, "--limit", 40, "--out", out, "--json"]
    status, told, error = run("study", "make", "trust", *SCENES, *words)
    assert status == 0, error
    assert json.loads(told)["questions"] == 3
    study = open_study(out)
    assert {len(question.stimuli) for question in study.questions.values()} == {2}
    for question in study.questions.values():
        number = int(study.solutions[question.id].image.split()[1])
        assert draw_scene(0, number).name == study.solutions[question.id].explained == question.labels[0]
    status, _, error = run("study", "make", "trust", *SCENES, *words, "--seed", 1)
    assert status == 2
    assert "another seed" in one_line(error)
    assert "another --out" in error


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["trust", *SCENES], "name the second with --network-2, --weights-2 or --db-2"),
        (["trust", *SCENES, "--network-2", "scenes"], "the same weights"),
        (
            ["trust", *SCENES, "--network-2", "scenes", "--dictionary-2", "f"],
            "--dictionary-2 would be ignored: --db-2 names",
        ),
        (["discrimination", *SCENES, "--images", "9", "--limit", "1"], "--images 9 are to be asked about"),
        (["discrimination", "--network", "scenes", "--data", "nowhere"], "there is no such folder"),
    ],
)
def test_what_cannot_be_made_is_refused(run, tmp_path, words, reason):
    status, _, error = run("study", "make", *words, "--out", tmp_path / "s")
    assert status == 2
    assert reason in one_line(error)


def rate(study, raters):
    with Ratings(study, raters) as ratings:
        for _ in range(3):
            rate_all(ratings, partial(right_answer, study))


def test_results_as_a_table_json_and_csv_and_back_from_csv(run, tmp_path):
    study, trust = small_study(tmp_path / "d"), small_study(tmp_path / "t", "trust")
    rate(study, "people")
    rate(trust, "people")
    status, told, _ = run("study", "results", study.folder, trust.folder)
    assert status == 0
    assert "100.0 (100.0 to 100.0)" in told
    assert "2.00 (2.00 to 2.00)" in told
    assert "PLAYED" not in told
    written = json.loads(run("study", "results", study.folder, "--json")[1])
    assert written["raters"] == "people"
    rows = list(csv.DictReader(io.StringIO(run("study", "results", study.folder, "--csv")[1])))
    assert [(row["accuracy"], row["ratings"], row["rated_by"]) for row in rows] == [("100.0", "18", "people")] * 2
    assert run("study", "results", study.folder, "--export", tmp_path / "r.csv")[0] == 0
    again = json.loads(run("study", "results", study.folder, "--ratings", tmp_path / "r.csv", "--json")[1])
    assert again == written


def test_played_raters_are_never_shown_as_people(run, tmp_path):
    study = small_study(tmp_path / "d")
    rate(study, "played")
    status, _, error = run("study", "results", study.folder)
    assert status == 2
    assert "no ratings yet" in one_line(error)
    told = run("study", "results", study.folder, "--played", "--export", tmp_path / "r.csv")[1]
    assert told.startswith("PLAYED RATERS, NOT PEOPLE")
    written = json.loads(run("study", "results", study.folder, "--played", "--json")[1])
    assert written["raters"] == "played"
    assert written["title"].startswith("PLAYED RATERS, NOT PEOPLE")
    rows = list(csv.DictReader(io.StringIO(run("study", "results", study.folder, "--played", "--csv")[1])))
    assert {row["rated_by"] for row in rows} == {"played"}
    status, _, error = run("study", "results", study.folder, "--ratings", tmp_path / "r.csv")
    assert status == 2
    assert "add --played" in one_line(error)


# Which images qualify


@pytest.fixture
def voc(tmp_path):
    """VOC's layout, by the annotated categories of each image."""
    root = tmp_path / "VOC2007"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    images = {
        "a": ["cat", "dog"],
        "b": ["cat"],
        "c": ["cat", "dog", "person"],
        "d": ["dog", "car", "dog"],
        "e": ["cat", "person"],
    }
    for name, objects in images.items():
        Image.new("RGB", (60, 40), "white").save(root / "JPEGImages" / f"{name}.jpg")
        boxes = "".join(
            f"<object><name>{kind}</name><bndbox><xmin>{20 + place}</xmin><ymin>5</ymin><xmax>{30 + place}</xmax>"
            "<ymax>30</ymax></bndbox></object>"
            for place, kind in enumerate(objects)
        )
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><size><width>60</width><height>40</height></size>{boxes}</annotation>"
        )
    (root / "ImageSets" / "Main" / "val.txt").write_text("\n".join(images))
    return root


@pytest.mark.parametrize(("counted", "expected"), [("annotated", {"a", "d"}), ("known", {"a", "c", "d"})])
def test_an_image_has_exactly_two_categories(voc, counted, expected):
    ground = open_ground(voc, CLASSES, kind="voc")
    design = Discrimination((Subject(colour_network(), ()),), ground.objects, counted)
    images = [ground.annotated(index) for index in range(len(ground))]
    assert {image.name for image in images if design._categories(image)} == expected
    assert all(design._categories(image) in {(), ("cat", "dog"), ("car", "dog")} for image in images)


def test_pairs_of_scenes_have_two_classes_each_in_its_half():
    ground = ScenePairs(["beach", "kitchen", "harbour", "farm", "desert", "city"], images=8, seed=4)
    for index in range(len(ground)):
        annotated = ground.annotated(index)
        assert len(annotated.categories) == 2
        assert set(annotated.places) <= annotated.categories
        sides = [np.flatnonzero(place.mask.any(0)) // 56 for place in annotated.places.values()]
        assert all(len(set(side)) == 1 for side in sides)
        assert len({side[0] for side in sides}) == len(sides)
    assert ground.identity() != ScenePairs(["beach", "kitchen"], images=30, seed=5).identity()


def test_concept_data_says_every_annotated_category(tmp_path):
    root = tmp_path / "masks"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    (root / "concepts.csv").write_text(
        "number,name,category\n1,cat,object\n2,dog,object\n3,grass,object\n4,red,color\n"
    )
    for name, numbers in {"a": [1, 2], "b": [1, 2, 3], "c": [1, 2, 4]}.items():
        mask = np.zeros((8, 8), np.uint8)
        for column, number in enumerate(numbers):
            mask[:, column] = number
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
        Image.new("RGB", (8, 8)).save(root / "images" / f"{name}.png")
    ground = open_ground(root, CLASSES)
    categories = [ground.annotated(index).categories for index in range(3)]
    assert categories == [{"cat", "dog"}, {"cat", "dog", "grass"}, {"cat", "dog"}]


def test_categories_that_are_wordnet_ids_are_shown_in_words():
    subject = Subject(colour_network(), ())
    assert _word("n01440764", subject, 1) == subject.network.classes[1]
    assert _word("night", subject, 1) == "night"
