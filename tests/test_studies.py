"""The paper's studies: adversarial images (Sec. 6.2) and biased data (Sec. 6.3)."""

import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.robust import PGD
from scipy import stats
from test_evaluate import Squares, rows
from test_sentence import explanation
from torch import nn
from worlds import colour_network, colour_square

from db import NameStore
from dissection.concepts.generated import write_drawn
from dissection.concepts.layouts import open_concepts
from dissection.dissect import dissect
from dissection.errors import CheckpointError, NetworkError
from dissection.execution.settings import Execution
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import Preprocessing
from dissection.scenes.scene import draw_scene
from dissection.scenes.staged import Staging
from dissection.scenes.training import Training, fine_tune, pixels, stacked, train
from dissection.scenes.words import SCENE_CLASSES
from dissection.vocabulary import Concept
from neuronexplain.audit.groups.groups import compare_groups
from neuronexplain.audit.photograph_pass import PhotographPass
from neuronexplain.class_images import ClassImages
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.methods import METHODS
from neuronexplain.metrics.energy_ratio import share_inside
from neuronexplain.metrics.intervals import Figure
from neuronexplain.pictures.tiles import sheet
from neuronexplain.studies import bias
from neuronexplain.studies.adversarial import Adversarial
from neuronexplain.studies.attack import Attack, attacked
from neuronexplain.studies.bias import Bias, study_bias
from neuronexplain.studies.bias_report import Side, found, is_of_a_thing, picture

GRADCAM = METHODS["grad-cam"]


@pytest.fixture
def network() -> Network:
    """A small network with random weights whose preprocessing leaves colours unchanged."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 64, 4))
    module[3].weight.data *= 30
    plain = Preprocessing((8, 8), (8, 8), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Network.from_module(module.eval(), layer="1", preprocessing=plain)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


CLASSES = torch.tensor([0, 1, 2, 3, 0])


def slow_attack(module, image, index, attack, mean, std):
    """The definition, one image and one step at a time."""
    start, now = image.clone(), image.clone()
    for _ in range(attack.steps):
        now = now.detach().requires_grad_()
        probability = module(now[None]).double().softmax(1)[0, index]
        if probability > attack.confidence:
            break
        (probability / (1 - probability)).log().backward()
        moved = now.detach() + attack.step / std * now.grad.sign()
        moved = torch.minimum(torch.maximum(moved, start - attack.radius / std), start + attack.radius / std)
        now = torch.minimum(torch.maximum(moved, (0 - mean) / std), (1 - mean) / std)
    return now.detach()


@pytest.mark.parametrize("steps", [1, 4, 60])
def test_the_attack_is_its_definition(network, images, steps):
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    own = replace(network, preprocessing=replace(network.preprocessing, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3)))
    normalised, attack = (images - mean) / std, Attack(radius=0.1, step=0.01, steps=steps, confidence=0.9)
    found = attacked(own, normalised, CLASSES, attack)
    for image, index, seen in zip(normalised, CLASSES, found, strict=True):
        torch.testing.assert_close(seen, slow_attack(network.module, image, int(index), attack, mean, std))


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients")
def test_the_attack_is_captums_where_it_does_not_stop(network, images):
    attack = Attack(radius=0.01, step=0.004, steps=4, confidence=1 - 1e-9)
    peer = PGD(lambda given: network.module(given).softmax(1), lower_bound=0, upper_bound=1)  # its loss is -log
    theirs = peer.perturb(
        images.clone().requires_grad_(), radius=0.01, step_size=0.004, step_num=4, target=CLASSES, targeted=True
    )
    torch.testing.assert_close(attacked(network, images, CLASSES, attack), theirs.detach())


def test_the_attack_keeps_its_bounds_and_stops_when_it_is_sure(network, images):
    attack = Attack(radius=0.3, step=0.02, steps=300, confidence=0.999)
    found = attacked(network, images, CLASSES, attack)
    assert 0 <= found.min() <= found.max() <= 1
    assert (found - images).abs().max() <= 0.3 + 1e-6
    scores = forward(network, found).scores.detach()
    assert (scores.softmax(1).gather(1, CLASSES[:, None]) > 0.999).all()
    torch.testing.assert_close(attacked(network, found, CLASSES, attack), found, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in network.module.parameters())


@pytest.mark.parametrize("wrong", [{"radius": 0.0}, {"step": 0.5}, {"confidence": 1.0}, {"radius": 2.0}])
def test_an_attack_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(NetworkError, match="makes no sense"):
        Attack(**wrong)


@pytest.fixture(scope="module")
def blurry() -> Network:
    """Like ``network``, for the squares; its predictions are arbitrary, and places weigh differently in them."""
    torch.manual_seed(5)
    module = nn.Sequential(nn.Conv2d(3, 6, 5, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 64, 4))
    module[3].weight.data *= 10
    plain = Preprocessing((32, 32), (32, 32), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return Network.from_module(module.eval(), layer="1", preprocessing=plain)


def test_adversarial_figures_are_their_definitions(blurry, tmp_path):
    attack = Attack(radius=0.5, step=0.02, steps=200, confidence=0.99)
    report = evaluate(Adversarial(attack, pictures=2), blurry, [GRADCAM], Squares(), tmp_path)
    kept = [json.loads(line) for line in (tmp_path / "adversarial.jsonl").read_text().splitlines()[1:]]
    expected = {key: [] for key in ("agreement", "control", "hit_before", "hit_after")}
    for index, record in enumerate(kept):
        annotated = Squares().annotated(index)
        image = blurry.preprocessing.tensor(annotated.photograph)[None]
        (place,) = annotated.places.values()
        assert record["false"] not in {index % 3, int(forward(blurry, image).scores.argmax())}
        fooled = attacked(blurry, image, torch.tensor([record["false"]]), attack)
        before, after = (GRADCAM.maps(blurry, given, index % 3)[0].numpy() for given in (image, fooled))
        other = GRADCAM.maps(blurry, fooled, record["false"])[0].numpy()
        for key, one in (("agreement", after), ("control", other)):
            flat = np.ptp(before) == 0 or np.ptp(one) == 0
            expected[key].append(0 if flat else stats.spearmanr(before.ravel(), one.ravel()).statistic)
        for key, values in (("hit_before", before), ("hit_after", after)):
            peak = np.unravel_index(values.argmax(), values.shape)
            expected[key].append(100 * bool(place.mask[peak] and np.ptp(values) > 0))
    found = rows(report)["Grad-CAM"]
    assert found["images"] == len(kept) == 12
    assert report.notes[0].startswith("12 of 12 images")
    for key, values in expected.items():
        assert found[key].value == pytest.approx(np.mean(values)), key
    assert len(list((tmp_path / "adversarial").glob("*.png"))) == 2


def test_images_that_are_not_fooled_are_not_counted(tmp_path):
    weak = Adversarial(Attack(radius=1 / 255, step=1 / 255, steps=1))
    report = evaluate(weak, colour_network(), [GRADCAM], Squares(), tmp_path)
    assert rows(report)["Grad-CAM"]["images"] == 0
    assert report.notes == ("0 of 12 images with a known object were brought to > 0.9999",)


def test_staged_scenes_have_the_shares_they_are_asked_for():
    staging = Staging(percent=(93, 22))
    placed = Counter((staging.thing(index), staging.place(index)) for index in range(200))
    assert placed == {("cow", "mountain"): 93, ("cow", "beach"): 7, ("dog", "mountain"): 22, ("dog", "beach"): 78}
    even = Counter((Staging().thing(index), Staging().place(index)) for index in range(12))
    assert set(even.values()) == {3}
    assert Staging(percent=(0, 100)).place(0) == "beach"
    assert Staging(percent=(0, 100)).place(1) == "mountain"


def test_a_staged_scene_is_a_scene_with_something_in_it():
    staging = Staging()
    for index in range(4):
        scene = staging.draw(5, index)
        assert scene.name == staging.place(index)
        assert scene.boxes[-1].name == staging.thing(index)
        number = SCENE_CLASSES.index(scene.name) + 12 * index
        assert scene.photograph.tobytes() == draw_scene(5, number, extra=staging.thing(index)).photograph.tobytes()


@pytest.mark.parametrize(
    "wrong", [{"things": ("cow", "unicorn")}, {"places": ("mountain", "moon")}, {"percent": (0, 101)}]
)
def test_what_cannot_be_staged_is_refused(wrong):
    with pytest.raises(ValueError, match=r"cannot be staged|are possible"):
        Staging(**wrong)


def test_share_inside_of_a_map():
    values, inside = np.array([[1.0, 3.0], [-9.0, 0.0]]), np.array([[False, True], [True, True]])
    assert share_inside(values, inside) == 0.75
    assert share_inside(-np.abs(values), inside) is None


def test_what_is_of_a_thing():
    concepts = [("object", "cow"), ("part", "tail"), ("material", "fur"), ("object", "tree"), ("color", "tail")]
    found = [is_of_a_thing(Concept(1, name, category), Staging()) for category, name in concepts]
    assert found == [True, True, True, False, False]


def test_training_leaves_random_numbers_alone_and_gives_the_same_again():
    drawn = stacked(pixels(Staging().draw(1, index).photograph) for index in range(6))
    classes, how = torch.arange(6) % 2, Training(epochs=1, batch=3)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for make in (train, fine_tune):
        told: list[int] = []
        one, other = (make(drawn, classes, how, progress=lambda *now, told=told: told.append(now[0])) for _ in range(2))
        assert told == [1, 1]
        assert not one.training
        for key, value in one.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[key], rtol=0, atol=0)
    torch.testing.assert_close(torch.get_rng_state(), before)


SMALL = Bias(images=24, tested=16, named=36, training=Training(epochs=2, batch=6, rate=3e-4))


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    out = tmp_path_factory.mktemp("bias")
    return out, study_bias(SMALL, out)


def test_the_study_of_bias_measures_both_networks(studied):
    out, found = studied
    biased, rebalanced, difference, *baselines = found.measured.rows
    assert (biased["set"], rebalanced["set"], biased["images"]) == ("biased", "rebalanced", 16)
    for key in ("accuracy", "mass", "words"):
        values = [row[key] for row in (biased, rebalanced, difference)]
        assert all(isinstance(value, Figure) for value in values)
        assert values[2].value == pytest.approx(values[1].value - values[0].value)
    kept = [json.loads(line) for line in (out / "biased" / "attention.jsonl").read_text().splitlines()[1:]]
    assert biased["accuracy"].value == pytest.approx(100 * np.mean([record["right"] for record in kept]))
    assert sum(record["usual"] for record in kept) == 8
    same, whole, centre, nothing = baselines
    assert (same["set"], same["accuracy"].value) == ("(always the same)", 50)
    assert whole["mass"] == whole["area"] == biased["area"]  # a flat map is where the thing is as much as it covers
    assert 0 < centre["mass"].value < 100
    assert nothing["mass"].images == 0
    assert {row["class"] for row in found.words.rows} == {"cow", "dog"}
    assert json.loads((out / "bias.json").read_text())["measured"]["rows"][0]["set"] == "biased"
    assert (out / "bias.png").exists() == bool(found.sentences)


def side(name: str, right: list[bool], *, mass: float | None = 0.5) -> Side:
    """A network's results on four staged scenes, of which it says nothing; the last two are in the unusual place."""
    records = [
        {
            "image": str(index),
            "usual": index < 2,
            "right": is_right,
            "area": 0.25,
            "mass": {"grad-cam": mass, "whole-picture": 0.25, "centre": 0.3, "nothing": None},
        }
        for index, is_right in enumerate(right)
    ]
    return Side(name, records, [explanation([], [])] * len(records), {"cow": [], "dog": []})


def test_the_studys_networks_and_test_scenes_are_there_for_audits(studied):
    out, _ = studied
    trained = bias.trained_network(SMALL, "biased", out, Execution())
    opened = open_network("scenes", weights=out / "biased.safetensors", classes=SMALL.staging.things)
    assert opened.fingerprint == trained.fingerprint
    table = (out / "places.csv").read_text().splitlines()
    assert table[0] == "image,group"
    assert len(table) == 1 + SMALL.tested
    test = open_concepts(out / "test")
    for index, line in enumerate(table[1:]):
        image, place = line.split(",")
        assert (image.split("/")[0], place) == (SMALL.staging.thing(index), SMALL.staging.place(index))
        assert (out / "photographs" / image).read_bytes() == test.files(index)[0].read_bytes()


def test_a_study_without_a_scene_to_show_has_no_picture_and_says_so():
    sides = [side("biased", [True, True, True, False]), side("rebalanced", [True, False, False, False])]
    assert picture(sides, Staging()) is None
    result = found(sides, Staging(), (93, 22))
    assert result.sentences == ()
    assert result.measured.notes[1] == (
        "no picture: the rebalanced network is right about no scene in the other place, nor where the biased is wrong"
    )
    shown = [sides[0], side("rebalanced", [False, False, True, True])]
    assert picture(shown, Staging()).width == 3 * 224 + 2 * 8
    assert len(found(shown, Staging(), (93, 22)).measured.notes) == 1


def test_a_figure_of_nothing_is_unknown_and_so_is_its_difference():
    sides = [side("biased", [True] * 4), side("rebalanced", [True] * 4, mass=None)]
    report = found(sides, Staging(), (93, 22)).measured
    biased, rebalanced, difference = report.cells()[:3]
    assert biased["mass"] == "50.0 (50.0 to 50.0)"
    assert {row["words"] for row in (biased, rebalanced, difference)} == {"unknown"}
    assert (rebalanced["mass"], difference["mass"]) == ("unknown", "unknown")
    assert difference["accuracy"] == "0 (0 to 0)"
    assert report.to_json()["rows"][2]["mass"] == {"value": None, "low": None, "high": None, "images": 0}


def test_a_study_may_test_a_single_scene(tmp_path):
    result = study_bias(replace(SMALL, images=2, tested=1, training=Training(epochs=1, batch=2)), tmp_path)
    assert {row["class"] for row in result.words.rows} == {"cow"}
    for row in result.measured.cells()[:3]:
        assert row["images"] == "1"
        assert "unknown" in {row["usual"], row["unusual"]}
    assert (tmp_path / "bias.png").exists() == bool(result.sentences)


def test_a_study_without_a_picture_is_told_in_one_line(run, tmp_path, monkeypatch):
    sides = [side("biased", [True] * 4), side("rebalanced", [False] * 4)]
    monkeypatch.setattr(bias, "study_bias", lambda *_, **__: found(sides, Staging(), (93, 22)))
    status, out, err = run("evaluate", "bias", "--out", tmp_path)
    assert (status, err) == (0, "")
    assert "No picture: the rebalanced network is right about no scene" in out
    assert "bias.png" not in out


def test_the_study_goes_on_where_it_was_and_refuses_another_ones_folder(studied):
    out, found = studied
    weights = (out / "biased.safetensors").stat().st_mtime_ns
    assert study_bias(SMALL, out) == found
    assert (out / "biased.safetensors").stat().st_mtime_ns == weights
    with pytest.raises(CheckpointError, match="another study"):
        study_bias(replace(SMALL, seed=1), out)


@pytest.mark.parametrize("name", ["biased.safetensors", "test/label.csv", "named/images/00003.png", "missing note"])
def test_a_part_of_the_study_that_was_damaged_is_made_anew(studied, tmp_path, name):
    out, found = studied
    shutil.copytree(out, tmp_path / "out")
    if name == "missing note":
        (tmp_path / "out" / "biased.safetensors.checksums").unlink()
    else:
        content = bytearray((out / name).read_bytes())
        content[-9] ^= 1
        (tmp_path / "out" / name).write_bytes(content)
    assert study_bias(SMALL, tmp_path / "out") == found
    for file in ("biased.safetensors", "test/label.csv", "named/images/00003.png"):
        assert (tmp_path / "out" / file).read_bytes() == (out / file).read_bytes()


def test_a_picture_of_an_adversarial_image_that_was_damaged_is_drawn_anew(blurry, tmp_path):
    for out in ("whole", "damaged"):
        evaluate(Adversarial(Attack(steps=1), pictures=2), blurry, [GRADCAM], Squares(), tmp_path / out)
    file = tmp_path / "damaged" / "adversarial" / "000001.png"
    file.write_bytes(file.read_bytes()[:-1])
    evaluate(Adversarial(Attack(steps=1), pictures=2), blurry, [GRADCAM], Squares(), tmp_path / "damaged")
    assert file.read_bytes() == (tmp_path / "whole" / "adversarial" / "000001.png").read_bytes()


def test_drawn_scenes_are_written_as_they_are(tmp_path):
    write_drawn(tmp_path / "set", (Staging().draw(2, index) for index in range(3)))
    found = open_concepts(tmp_path / "set")
    assert len(found) == 3
    assert found.photograph(1).tobytes() == Staging().draw(2, 1).photograph.tobytes()
    with pytest.raises(ValueError, match="at least 1"):
        write_drawn(tmp_path / "none", iter(()))
    assert not (tmp_path / "none").exists()


def test_a_sheet_wraps_its_captions():
    page = sheet(
        [[(colour_square("red"), "one"), (None, "")], [(colour_square("blue"), "a b\nc " + "m" * 30)]], tile=60
    )
    assert page.size == (60 + 8 + 60, (60 + 16 + 8) + (60 + 3 * 16))
    assert page.getpixel((30, 10)) != (255, 255, 255)
    assert page.getpixel((100, 30)) == (255, 255, 255)


def test_a_sheet_keeps_the_names_of_layers_under_their_pictures():
    named = [(colour_square("red"), "features.3.expand1x1_activation"), (colour_square("blue"), "")]
    page = np.asarray(sheet([named], tile=80).convert("L"))
    assert page.shape == (80 + 3 * 16, 80 + 8 + 80)
    assert page[80:, :80].min() == 0
    assert page[80:, 80:].min() == 255


def test_adversarial_from_the_command_line(run, tmp_path):
    arguments = ("evaluate", "adversarial", "--network", "scenes", "--kind", "scenes", "--limit", "2")
    status, out, _ = run(*arguments, "--radius", "0.01", "--out", tmp_path, "--json")
    report = json.loads(out)
    assert status == 0
    assert "Sec. 6.2" in report["title"]
    assert report["rows"][0]["method"] == "Grad-CAM"


OF_PLACES = {
    "mountain",
    "snowcap",
    "fir",
    "rock",
    "beach",
    "sand",
    "sea",
    "palm",
    "frond",
    "umbrella",
    "canopy",
    "boat",
}
"""What mountains and beaches are made of, and show."""


def test_audit_groups_finds_the_place_that_a_biased_network_looks_at(studied, demo):
    """Its neurons are named over the demo's scenes; in groups that differ in nothing it finds nothing."""
    out, _ = studied
    network, staging = bias.trained_network(SMALL, "biased", out, Execution()), SMALL.staging
    named = dissect(network, open_concepts(demo / "demo" / "scenes"), quantile=0.01, draws=0)
    test = open_concepts(out / "test")
    images = ClassImages(out, tuple((test.files(index)[0], index % 2) for index in range(len(test))))
    with NameStore.open(out / "names.db") as store:
        work = PhotographPass(network, store.runs()[0], images, Execution())
    places = [staging.place(index) for index in range(len(test))]
    for gap in compare_groups(work, places, named.units).gaps()[1:]:
        assert abs(gap.gap.value) == 1.0, "it says cow on a mountain and dog on a beach"
        assert {concept.concept for concept in gap.carriers[:2]} <= OF_PLACES, gap.carriers[:4]
    halves = ["first" if index < len(test) // 2 else "second" for index in range(len(test))]
    assert not any(gap.carriers for gap in compare_groups(work, halves, named.units).gaps())
