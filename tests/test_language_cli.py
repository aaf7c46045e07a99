"""Captions and questions at the command line: what is refused, and weights from a file."""

import json
from pathlib import Path

import pytest
import torch
from talkers import QUESTIONS, Answerer, Captioner
from worlds import colour_square, write_colour_folder

from dissection.errors import NetworkError
from dissection.networks.opening import open_network
from neuronexplain import build

TALKERS = Path(__file__).with_name("talkers.py")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with databases of a captioner and an answerer, and photographs."""
    place = tmp_path_factory.mktemp("talkers")
    for colour in ("red", "blue"):
        colour_square(colour).save(place / f"{colour}.png")
    squares = write_colour_folder(place / "squares")
    for name in ("captioner", "answerer"):
        build(f"{TALKERS}:{name}", squares, place / f"{name}.db", draws=20)
    return place


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "neuronexplain: Captioner has no classes; explain the words of its caption (--words, or explain_caption)"),
        (["--words", "--target", "red"], "--target would be ignored: the words of a caption are explained"),
        (["--word", "red", "--question", "what ?"], "Captioner answers no questions"),
        (["--caption", "a red dog"], "the network does not know the word 'dog'; use one of the 8 that it knows"),
        (["--word", "dog"], "the caption “a red square” has no word 'dog'"),
        (["--question", ""], "Captioner answers no questions"),
        (["--caption", ""], "the caption '' has no words"),
        (["--words", "--question", ""], "Captioner answers no questions"),
        (["--question", "what ?"], "Captioner answers no questions; make one that does with Network.of_answers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(place, run, arguments, message):
    status, said, error = run("explain", place / "red.png", "--db", place / "captioner.db", *arguments)
    assert status == 2, said
    assert message in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--words"], ["--caption", "red"], ["--word", "red"]])
def test_a_network_that_chooses_its_answer_writes_no_words(place, run, arguments):
    asked = ["explain", place / "red.png", "--db", place / "answerer.db", "--question", QUESTIONS[0]]
    status, _, error = run(*asked, *arguments)
    assert status == 2
    assert f"{arguments[0]} would be ignored: the network chooses its answer, and writes none" in error


def test_evaluations_are_of_networks_with_classes(place, run):
    status, _, error = run(
        *("evaluate", "pointing", "--db", place / "captioner.db", "--kind", "scenes", "--out", place / "pointing")
    )
    assert status == 2
    assert "the network has no classes, and what is measured here is how it tells classes apart" in error
    assert not (place / "pointing").exists()


def test_words_of_several_photographs_as_json(place, run):
    photographs = [place / "red.png", place / "none.png", place / "blue.png"]
    status, said, error = run("explain", *photographs, "--db", place / "captioner.db", "--words", "--json")
    assert status == 2
    assert "none.png" in error
    captions = json.loads(said)
    assert [caption["caption"] for caption in captions] == ["a red square", "a blue square"]
    for caption, colour in zip(captions, ("red", "blue"), strict=True):
        owed = [word["owes_to_picture"]["is_owed"] for word in caption["words"]]
        assert owed == [False, True, False]
        assert [word["word"] for word in caption["words"] if word["explanation"]] == [colour]


def test_a_photograph_that_cannot_be_explained_as_asked_does_not_cost_the_others(place, run):
    photographs = [place / "red.png", place / "blue.png", place / "red.png"]
    status, said, error = run("explain", *photographs, "--db", place / "captioner.db", "--word", "blue", "--json")
    assert status == 2
    red = place / "red.png"
    (*_, line) = error.splitlines()
    assert line == f"neuronexplain: {red}, {red}: the caption “a red square” has no word 'blue'; name one of its words"
    (caption,) = json.loads(said)
    assert [word["word"] for word in caption["words"] if word["explanation"]] == ["blue"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--caption", "a red dog"], "the network does not know the word 'dog'"),
        (["--caption", "a red square", "--word", "blue"], "the caption “a red square” has no word 'blue'"),
    ],
)
def test_what_is_wrong_for_every_photograph_is_said_once(place, run, arguments, message):
    status, said, error = run("explain", place, place, "--db", place / "captioner.db", *arguments)
    assert (status, said) == (2, "")
    assert error.startswith(f"neuronexplain: {message}")
    assert len(error.splitlines()) == 1


def test_a_score_that_is_no_number_costs_its_photograph_alone(place, run, tmp_path):
    """A head that divides by what is red, in one batch with photographs that are."""
    (tmp_path / "dividing.py").write_text(
        f"import sys\nsys.path.insert(0, {str(TALKERS.parent)!r})\n"
        "from talkers import *\n"
        "class Dividing(Answerer):\n"
        "    def forward(self, images, question):\n"
        "        red = images[:, :1].mean((2, 3))\n"
        "        return super().forward(images, question) / (1 - ((red > 0.1) & (red < 0.2)).float())\n"
        "def make():\n"
        "    return answerer(Dividing())\n"
    )
    photographs = [place / "blue.png", place / "red.png", place / "blue.png"]
    network = ["--network", f"{tmp_path / 'dividing.py'}:make"]
    status, said, error = run(
        *("explain", *photographs, "--db", place / "answerer.db", "--question", QUESTIONS[0], *network, "--json")
    )
    assert status == 2
    assert [explanation["image"] for explanation in json.loads(said)] == [str(place / "blue.png")] * 2
    assert f"gives {place / 'red.png'} a score that is a NaN or infinite" in error


def test_an_answer_and_two_of_them(place, run):
    asked = ["explain", place / "red.png", "--db", place / "answerer.db", "--question", QUESTIONS[0]]
    status, said, _ = run(*asked, "--answer", "yellow")
    assert status == 0
    assert "The network says red" in said
    assert "gives yellow" in said
    status, said, _ = run(*asked, "--answer", "red", "--answer", "blue", "--out", place / "page")
    assert status == 0
    assert "speaks for red rather than blue" in " ".join(said.split())
    page = (place / "page" / "index.html").read_text()
    assert f"Asked “{QUESTIONS[0]}”" in page
    status, said, _ = run(*asked, "--json")
    assert json.loads(said)[0]["question"] == QUESTIONS[0]
    status, said, _ = run(*asked, "--out", place / "one")
    assert f"asked “{QUESTIONS[0]}”</p>" in (place / "one" / "index.html").read_text()


def test_sentences_of_words_and_answers_are_measured(place, run, tmp_path):
    unseen = write_colour_folder(tmp_path / "unseen", images=8)
    words = ["evaluate", "words", "--concepts", unseen, "--json"]
    status, said, error = run(*words, "--db", place / "captioner.db", "--out", tmp_path / "captions")
    assert status == 0, error
    rows = {row["key"]: row for row in json.loads(said)["rows"]}
    assert rows["responds-true"]["value"]["value"] == rows["responds-sign"]["value"]["value"] == 100
    answers = [*words, "--db", place / "answerer.db", "--out", tmp_path / "answers"]
    status, said, error = run(*answers, "--question", QUESTIONS[0])
    assert status == 0, error
    assert "the answer that the network predicts for them" in json.loads(said)["notes"][0]
    for asked, message in (
        ([*answers], "Answerer answers questions; ask it one with --question"),
        (
            [*words, "--db", place / "captioner.db", "--out", tmp_path, "--question", "?"],
            "Captioner answers no questions",
        ),
    ):
        status, said, error = run(*asked)
        assert (status, said) == (2, "")
        assert message in error
        assert len(error.splitlines()) == 1


def test_importances_of_answers_can_be_asked_for(place, run):
    built = ["build", "--network", f"{TALKERS}:answerer", "--concepts", place / "squares", "--db", place / "answers.db"]
    for question in (None, *QUESTIONS):
        status, _, error = run(*built, "--draws", "20", *(["--question", question] if question else []))
        assert status == 0, error
        assert ("No classes." if question is None else f"6 answers to “{question}”.") in " ".join(error.split())
    status, said, _ = run("concepts", "of", "yellow", "--db", place / "answers.db", "--run", "2", "--json")
    assert status == 0
    assert json.loads(said)[0]["concept"] == "yellow"
    status, said, _ = run("runs", "--db", place / "answers.db", "--json")
    assert [QUESTIONS[0] in row["differs"].get("evidence", "") for row in json.loads(said)] == [False, True, False]


@pytest.mark.parametrize(("factory", "module"), [("captioner", Captioner), ("answerer", Answerer)])
def test_weights_come_from_a_file(tmp_path, factory, module):
    """The names belong to the weights that were loaded, not to those that the factory made."""
    changed = module()
    with torch.no_grad():
        changed.trunk.detect.weight *= 2
    torch.save(changed.state_dict(), tmp_path / "weights.pt")
    plain = open_network(f"{TALKERS}:{factory}")
    loaded = open_network(f"{TALKERS}:{factory}", weights=tmp_path / "weights.pt")
    assert plain.fingerprint != loaded.fingerprint
    assert torch.equal(loaded.module.get_parameter("trunk.detect.weight"), changed.trunk.detect.weight)
    assert loaded.at("trunk.detect").fingerprint != loaded.fingerprint
    for changes in ({"classes": ["red", "blue"]}, {"input_size": 64}, {"multi_label": True}, {"output": "x"}):
        with pytest.raises(NetworkError, match=r"comes with its .* which cannot be changed here; say it where"):
            open_network(f"{TALKERS}:{factory}", **changes)
