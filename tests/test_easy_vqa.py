"""The scripts of easy-VQA: questions as the package gives them, an answerer that learns, and maps of its answers."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pages
import pytest
import torch
from PIL import Image, ImageDraw

from dissection.concepts.layouts import open_concepts
from dissection.errors import NetworkError, WeightsError

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts" / "easy_vqa"
MODULES = [path.stem for path in SCRIPTS.glob("*.py")]
PICTURES = 300
"""Pictures that are learnt from."""

FINE = 16
"""Pixels of a fine drawing along a pixel of a picture."""

needs_package = pytest.mark.skipif(find_spec("easy_vqa") is None, reason="the package easy-vqa is not installed")


@pytest.fixture(scope="module")
def scripts():
    """The modules of the scripts."""
    sys.path.insert(0, str(SCRIPTS))
    yield SimpleNamespace(**{name: import_module(name) for name in MODULES})
    sys.path.remove(str(SCRIPTS))
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def learnt_from(scripts):
    return scripts.questions.read_part("train", pictures=PICTURES)


@pytest.fixture(scope="module")
def trained(scripts, learnt_from):
    """An answerer that has learnt from a few of the pictures, and what was told of each epoch."""
    told = []
    how = scripts.training.Training(epochs=10)
    answerer = scripts.training.train(learnt_from, how, report=lambda *epoch: told.append(epoch))
    return answerer, told


def small(scripts, *, seed=0):
    """An answerer that has learnt nothing."""
    torch.manual_seed(seed)
    words = ("a", "color", "is", "red", "shape", "the", "there", "what")
    return scripts.answerer.Answerer(words, ("red", "yes", "no")).eval()


def drawn(shape, colour, background, box):
    """A picture whose edges are mixtures, as in easy-VQA, and how much of each pixel is covered."""
    fine = Image.new("L", (64 * FINE, 64 * FINE))
    left, top, right, bottom = (FINE * side for side in box)
    draw = ImageDraw.Draw(fine)
    if shape == "circle":
        draw.ellipse((left, top, right, bottom), 255)
    elif shape == "rectangle":
        draw.rectangle((left, top, right - 1, bottom - 1), 255)
    else:
        draw.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], 255)
    covered = (np.asarray(fine) > 0).reshape(64, FINE, 64, FINE).mean((1, 3))[:, :, None]
    picture = covered * np.array(colour) + (1 - covered) * np.array(background)
    return picture.round().astype(np.uint8), covered[:, :, 0]


def _shown(data, number):
    """What the questions about a picture give away."""
    return set().union(*(question.shown for question in data.questions if question.picture == number))


class TestMask:
    @pytest.mark.parametrize("shape", ["circle", "rectangle", "triangle"])
    @pytest.mark.parametrize(
        ("colour", "background"),
        [((255, 255, 0), (250, 253, 240)), ((0, 0, 0), (238, 246, 248)), ((200, 200, 200), (10, 0, 30))],
    )
    def test_it_is_what_a_shape_covers_by_half(self, scripts, shape, colour, background):
        picture, covered = drawn(shape, colour, background, (20.3, 9.7, 41.4, 33.2))
        mask = scripts.questions.shape_mask(picture)
        clear = abs(covered - 0.5) > 0.02  # colours are whole numbers, so half is not exact
        assert (mask == (covered > 0.5))[clear].all()
        assert clear.mean() > 0.95
        assert 0.03 < mask.mean() < 0.2

    def test_a_picture_of_one_colour_has_none(self, scripts):
        assert not scripts.questions.shape_mask(np.full((64, 64, 3), 240, np.uint8)).any()


class TestQuestion:
    @pytest.mark.parametrize(
        ("text", "answer", "kind", "is_there", "shown"),
        [
            ("what is the blue shape?", "rectangle", "shape", True, {"blue", "rectangle"}),
            ("what color is the circle?", "gray", "colour", True, {"gray", "circle"}),
            ("what color is the shape?", "gray", "colour", True, {"gray"}),
            ("is there a teal shape?", "yes", "yes/no", True, {"teal"}),
            ("is there a teal shape?", "no", "yes/no", False, set()),
            ("is no triangle present?", "no", "yes/no", True, {"triangle"}),
            ("does the image not contain a triangle?", "yes", "yes/no", False, set()),
        ],
    )
    def test_what_it_gives_away(self, scripts, text, answer, kind, is_there, shown):
        question = scripts.questions.Question(text, answer, 0)
        assert (question.kind, question.is_thing_there, question.shown) == (kind, is_there, shown)


@needs_package
class TestData:
    @pytest.mark.parametrize(("part", "pictures", "count"), [("train", 4000, 38575), ("test", 1000, 9673)])
    def test_it_is_read_as_the_package_gives_it(self, scripts, part, pictures, count):
        folder = Path(find_spec("easy_vqa").origin).parent / "data" / part
        stored = json.loads((folder / "questions.json").read_text())
        data = scripts.questions.read_part(part)
        assert [[question.text, question.answer, question.picture] for question in data.questions] == stored
        assert (len(data.pictures), len(data.questions)) == (pictures, count)
        for number in (0, 2, 10, pictures - 1):  # file names in another order than numbers: 0, 1, 10, 100, ...
            with Image.open(folder / "images" / f"{number}.png") as picture:
                assert (data.pictures[number] == np.asarray(picture.convert("RGB"))).all()

    def test_the_answers_are_the_packages(self, scripts):
        easy_vqa = pytest.importorskip("easy_vqa")
        assert sorted(scripts.questions.ANSWERS) == sorted(easy_vqa.get_answers())

    def test_first_pictures_have_their_questions(self, scripts, learnt_from):
        whole = scripts.questions.read_part("train")
        assert (learnt_from.pictures == whole.pictures[:PICTURES]).all()
        assert learnt_from.questions == tuple(question for question in whole.questions if question.picture < PICTURES)

    def test_masks_have_the_form_and_colour_that_the_answers_say(self, scripts, learnt_from):
        colours = {
            "black": (0, 0, 0),
            "blue": (0, 0, 255),
            "brown": (165, 42, 42),
            "gray": (128, 128, 128),
            "green": (0, 255, 0),
            "red": (255, 0, 0),
            "teal": (0, 128, 128),
            "yellow": (255, 255, 0),
        }
        fills = {"circle": (0.7, 0.92), "rectangle": (0.94, 1), "triangle": (0.45, 0.66)}
        checked = set()
        for number, picture in enumerate(learnt_from.pictures):
            mask = scripts.questions.shape_mask(picture)
            rows, columns = np.nonzero(mask)
            fill = mask.sum() / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1))
            inside = np.median(picture[mask], 0)
            for name in _shown(learnt_from, number):
                if name in colours:
                    assert abs(inside - colours[name]).max() < 40, number  # the next colour is 90 away
                else:
                    low, high = fills[name]
                    assert low <= fill <= high, number
                checked.add(name)
        assert checked == {*colours, *fills}

    def test_labels_are_concept_data(self, scripts, learnt_from, tmp_path):
        data = scripts.questions.AskedPictures(
            tuple(question for question in learnt_from.questions if question.picture < 30), learnt_from.pictures[:30]
        )
        scripts.labels.write_labels(tmp_path / "labels", data)
        concepts = open_concepts(tmp_path / "labels")
        names = {number: concept.name for number, concept in concepts.concepts.items()}
        assert len(concepts) == 30
        for index in range(30):
            maps = concepts.labels(index).maps
            mask = scripts.questions.shape_mask(data.pictures[index])
            assert {names[number] for number in np.unique(maps[maps > 0])} == _shown(data, index)
            assert all(((layer > 0) == mask).all() for layer in maps if layer.any())


class TestAnswerer:
    def test_a_question_is_answered_alike_alone_and_among_longer_ones(self, scripts):
        answerer = small(scripts)
        short, long = answerer.encode("what color?")[0], answerer.encode("is there a red shape there?")[0]
        padded = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
        together = answerer.heard(padded)
        torch.testing.assert_close(together[:1], answerer.heard(short[None]))
        torch.testing.assert_close(together[1:], answerer.heard(long[None]))

    def test_scores_depend_on_picture_and_question_alike(self, scripts):
        answerer = small(scripts)
        images = torch.rand(2, 3, 64, 64)
        first, second = (
            answerer(images, answerer.encode(text).expand(2, -1)) for text in ("is there?", "what is red?")
        )
        assert not torch.allclose(first, second)
        assert not torch.allclose(first[0], first[1])

    def test_the_pictures_vector_is_normalised(self, scripts):
        answerer = small(scripts)
        maps = torch.rand(3, 64, 16, 16)
        torch.testing.assert_close(answerer.seen(maps), answerer.seen(7 * maps))

    @pytest.mark.parametrize(("question", "reason"), [("is it purple?", "'it'"), (" ? ", "no words")])
    def test_what_it_cannot_read_is_refused(self, scripts, question, reason):
        network = scripts.answerer.as_network(small(scripts))
        with pytest.raises(NetworkError, match=reason):
            network.asked(question)

    def test_a_file_gives_it_back(self, scripts, tmp_path):
        answerer = small(scripts)
        answerer.save(tmp_path / "a.safetensors")
        again = scripts.answerer.Answerer.load(tmp_path / "a.safetensors")
        assert (again.words, again.answers) == (answerer.words, answerer.answers)
        images, words = torch.rand(2, 3, 64, 64), answerer.encode("what color is the shape").expand(2, -1)
        assert torch.equal(again(images, words), answerer(images, words))

    def test_other_files_are_refused_in_a_line(self, scripts, tmp_path):
        with pytest.raises(WeightsError, match=r"no weights at .*; train them with"):
            scripts.answerer.Answerer.load(tmp_path / "none.safetensors")
        (tmp_path / "text.safetensors").write_text("not weights")
        with pytest.raises(WeightsError, match="does not hold the weights of an answerer"):
            scripts.answerer.Answerer.load(tmp_path / "text.safetensors")


class TestCommand:
    def test_without_weights_it_ends_in_a_line(self, scripts, monkeypatch, capsys, tmp_path):
        monkeypatch.setattr(sys, "argv", ["run.py", "measure", "--weights", str(tmp_path / "none.safetensors")])
        assert scripts.run.main() == 2
        assert re.fullmatch(r"neuronexplain: no weights at .*; train them with .*\n", capsys.readouterr().err)

    def test_when_it_is_stopped_nothing_is_written(self, scripts, monkeypatch, capsys, tmp_path):
        def stop(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(scripts.run, "read_part", stop)
        monkeypatch.setattr(sys, "argv", ["run.py", "label", "--out", str(tmp_path / "shapes")])
        assert scripts.run.main() == 130
        assert capsys.readouterr().err == "stopped; nothing has been written\n"
        assert not any(tmp_path.iterdir())


class TestAim:
    def test_maximum_and_energy(self, scripts):
        mask = np.zeros((4, 4), bool)
        mask[1, 1:3] = True
        values = np.zeros((4, 4), np.float32)
        values[1, 1], values[0, 0] = 3, 1
        assert scripts.pointing.aim(values, mask) == (True, 0.75)
        values[0, 0] = 9
        assert scripts.pointing.aim(values, mask) == (False, 0.25)

    def test_a_map_of_zeros_points_nowhere(self, scripts):
        assert scripts.pointing.aim(np.zeros((4, 4), np.float32), np.ones((4, 4), bool)) == (False, 0.0)


@needs_package
class TestTraining:
    def test_it_sees_what_a_question_does_not_say(self, scripts, trained, learnt_from):
        answerer, told = trained
        assert [epoch for epoch, _, _ in told] == list(range(1, 11))
        report = scripts.accuracy.report_accuracy(answerer, learnt_from, scripts.questions.read_part("test"))
        rows = {row["kind"]: row for row in report.rows}
        assert sum(rows[kind]["questions"] for kind in scripts.questions.KINDS) == rows["all"]["questions"] == 9673
        assert rows["colour"]["habit"].high < 20
        assert rows["colour"]["right"].low > 60
        assert rows["all"]["seen"].low > 3

    def test_the_best_epochs_weights_are_kept(self, scripts, learnt_from):
        told = []
        how = scripts.training.Training(epochs=4, batch=100, rate=0.05, held_out=0.5)
        answerer = scripts.training.train(learnt_from, how, report=lambda *epoch: told.append(epoch[2]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(how.seed)
            scripts.answerer.Answerer(answerer.words, answerer.answers)
            withheld = torch.randperm(PICTURES)[: PICTURES // 2]
        encoded = scripts.training.EncodedPictures.of(learnt_from, answerer)
        questions = encoded.about(withheld)
        is_right = encoded.said(answerer, questions) == encoded.answer[questions]
        assert float(is_right.double().mean()) == max(told)
        assert not answerer.training

    def test_same_seed_same_weights_and_the_global_state_stays(self, scripts, learnt_from):
        data = scripts.questions.AskedPictures(
            tuple(question for question in learnt_from.questions if question.picture < 40), learnt_from.pictures[:40]
        )
        state = torch.random.get_rng_state()
        once, again, other = (
            scripts.training.train(data, scripts.training.Training(epochs=1, seed=seed), report=lambda *_: None)
            for seed in (0, 0, 1)
        )
        assert torch.equal(torch.random.get_rng_state(), state)
        weights = [
            torch.cat([values.flatten() for values in net.state_dict().values()]) for net in (once, again, other)
        ]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])

    def test_pointing_counts_every_question_once(self, scripts, trained):
        answerer, _ = trained
        data = scripts.questions.read_part("test", pictures=4)
        network = scripts.answerer.as_network(answerer)
        untrained = scripts.answerer.as_network(scripts.answerer.Answerer(answerer.words, answerer.answers).eval())
        report = scripts.pointing.report_pointing(network, [untrained, network], data)
        by_map = {}
        for row in report.rows:
            by_map[row["map"]] = by_map.get(row["map"], 0) + row["questions"]
        assert by_map == dict.fromkeys(
            ["Grad-CAM", "Guided Backpropagation", "(mean activation)", "(Grad-CAM, untrained)"], len(data.questions)
        )
        for row in report.rows:
            assert 0 <= row["hit"].value <= 100
            ratio = row["hit"].value / row["hit_times"].value if row["hit_times"].value else None
            assert ratio is None or ratio == pytest.approx(row["energy"].value / row["energy_times"].value)  # the area


@needs_package
def test_the_pages_commands_run(scripts, trained, run, tmp_path, monkeypatch):
    """As they stand there, with fewer pictures, and this test's answerer in place of the one that they train."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copytree(SCRIPTS, tmp_path / "scripts" / "easy_vqa", ignore=shutil.ignore_patterns("*.safetensors"))
    training, measuring, labelling, build, copying, *explaining = _commands()
    assert "by the question alone" in _python(*training, "--pictures", "20", "--epochs", "1")
    weights = tmp_path / "scripts" / "easy_vqa" / "answerer.safetensors"
    assert weights.is_file()
    trained[0].save(weights)
    monkeypatch.setattr(scripts.run, "WEIGHTS", weights)
    for command, pictures in ((measuring, "1"), (labelling, "60")):  # of two counts, the last
        monkeypatch.setattr(sys, "argv", [*command[1:], "--pictures", pictures])
        assert scripts.run.main() == 0
    status, _, error = run(*build[1:], "--min-images", "1", "--draws", "20")
    assert status == 0, error
    _python(*copying)
    with Image.open("picture.png") as picture:
        image = scripts.answerer.PREPROCESSING.tensor(picture)[None]
    for command in explaining:
        network = scripts.answerer.as_network(trained[0]).asked(command[command.index("--question") + 1])
        answer = network.classes[int(network.module(image).argmax())]
        status, told, error = run(*command[1:])
        assert status == 0, error
        assert f"The network says {answer} (" in " ".join(told.split())


def _commands():
    blocks = [block for block in pages.blocks("docs/how-to/easy-vqa.md") if block.language == "sh"]
    return [shlex.split(line) for block in blocks for line in block.commands if not line.startswith("pip ")]


def _python(*command):
    done = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
