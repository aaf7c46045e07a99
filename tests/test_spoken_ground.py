"""Photographs with captions and questions: tables, COCO's files, pictures of where people looked."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import one_line
from worlds import colour_square

from dissection.errors import ConceptDataError, PhotographError
from dissection.scenes.described.language import WORD_KINDS
from neuronexplain.evaluation.ground_truth.language.opening import open_asked, open_captioned
from neuronexplain.evaluation.ground_truth.language.word_table import WordTable

HERE = Path(__file__).parent
TALKERS = {kind: ["--network", f"{HERE / 'talkers.py'}:{kind}"] for kind in ("captioner", "answerer")}


@pytest.fixture
def coco(tmp_path):
    """A red and a blue square, each a thing of COCO; the second photograph has nothing in it."""
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations").mkdir()
    colour_square("red").save(tmp_path / "val2017" / "1.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "val2017" / "2.png")
    images = [{"id": n, "file_name": f"{n}.png", "width": 32, "height": 32} for n in (1, 2)]
    box = {"bbox": [4, 6, 12, 12], "segmentation": [[4, 6, 16, 6, 16, 18, 4, 18]]}
    instances = {
        "images": images,
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **box}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "hot dog"}],
    }
    captions = {
        "images": images,
        "annotations": [
            {"id": 1, "image_id": 1, "caption": "A red square."},
            {"id": 2, "image_id": 1, "caption": "  The blue, light  square of 2 men!"},
            {"id": 3, "image_id": 2, "caption": "..."},
        ],
    }
    for what, content in (("instances", instances), ("captions", captions)):
        (tmp_path / "annotations" / f"{what}_val2017.json").write_text(json.dumps(content))
    return tmp_path


def table(folder: Path, text: str, name: str = "words.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_cocos_captions_stand_beside_its_masks(coco):
    captioned = open_captioned(coco, kind="coco")
    annotated = captioned.ground.annotated(0)
    assert annotated.captions == ("a red square", "the blue light square of 2 men")
    assert annotated.places["person"].mask.sum() == 144
    assert captioned.ground.annotated(1).captions == ()
    assert captioned.words.meanings(["the", "men", "eat", "a", "hot", "dog"]) == [
        None,
        "person",
        None,
        None,
        "hot dog",
        "hot dog",
    ]
    assert captioned.ground.objects == {"person": (), "hot dog": ()}


def test_what_identifies_cocos_captions_changes_with_them(coco):
    before = open_captioned(coco, kind="coco").ground.identity()
    file = coco / "annotations" / "captions_val2017.json"
    file.write_text(file.read_text().replace("red", "green"))
    assert open_captioned(coco, kind="coco").ground.identity() != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"caption": 7}, "caption is 7; text is needed"),
        ({"image_id": 9}, "annotation of image 9"),
        ({"caption": ""}, "text is needed"),
    ],
)
def test_what_is_wrong_with_cocos_captions_is_said_in_a_line(coco, change, said):
    file = coco / "annotations" / "captions_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(ConceptDataError, match=said):
        open_captioned(coco, kind="coco")


def test_the_shipped_words_mean_cocos_categories():
    words = WordTable.of_coco()
    objects = {name for name in words.objects.values() if name}
    assert len(objects) == 80
    for word, name in (
        ("man", "person"),
        ("women", "person"),
        ("bike", "bicycle"),
        ("sofa", "couch"),
        ("kittens", "cat"),
    ):
        assert words.meanings([word]) == [name]
    assert words.meanings(["a", "couple", "of", "dogs", "near", "a", "train", "station"])[1:4] == [None, None, "dog"]
    assert words.meanings(["train", "station"]) == [None, None]
    assert words.meanings(["an", "orange", "cat"]) == [None, None, "cat"]
    assert words.meanings(["Teddy", "BEARS"]) == ["teddy bear", "teddy bear"]
    assert words.kinds_of(["the", "dog"]) == ["other", "thing"]
    assert all(word == tuple(" ".join(word).casefold().split()) for word in words.objects)


def test_the_longest_entry_of_a_table_decides(tmp_path):
    words = WordTable.read(table(tmp_path, "word,object\ndog,dog\nhot dog,food\nhot dog stand,\n"), ["dog", "food"])
    assert words.meanings(["dog", "hot", "dog", "hot"]) == ["dog", "food", "food", None]
    assert words.meanings(["hot", "dog", "stand"]) == [None, None, None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("word;object\nman;person\n", "columns named word, object are needed"),
        ("word,object\nman,persons\n", r"line 2: the data has no object 'persons'; choose one of person, hot dog"),
        ("word,object\nman,person\nMan,hot dog\n", r"line 3: 'man' means 'person' too"),
        ("word,object\n,person\n", "word is empty"),
        ("word,object\n", "it has no lines"),
        ("word,object\nman,person,x\n", "3 cells were found"),
    ],
)
def test_what_is_wrong_with_a_table_of_words_is_said_in_a_line(coco, text, said):
    with pytest.raises(ConceptDataError, match=said) as told:
        open_captioned(coco, kind="coco", table=table(coco, text))
    assert "\n" not in str(told.value)


def photographs(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    for colour in ("red", "blue"):
        colour_square(colour).save(root / "images" / f"{colour}.png")
    return root


def test_a_table_of_captions(tmp_path):
    root = photographs(tmp_path / "photographs")
    table(root, "image,caption\nred.png,A red square .\nblue.png,a blue square\nred.png,A red light\n", "captions.csv")
    ground = open_captioned(root, kind="captions").ground
    assert [ground.annotated(index).captions for index in range(2)] == [
        ("a red square", "a red light"),
        ("a blue square",),
    ]
    assert len(open_captioned(root / "captions.csv", kind="captions", limit=1).ground) == 1
    assert ground.annotated(0).photograph.size == (32, 32)


def test_a_table_of_questions_keeps_those_of_an_image_together(tmp_path):
    root = photographs(tmp_path / "photographs")
    lines = ["red.png,what colour is it ?,red,colour", "blue.png,is it red ?,no,", "red.png,is it red ?,yes,"]
    table(root, "\n".join(["image,question,answer,kind", *lines]), "questions.csv")
    ground = pickle.loads(pickle.dumps(open_asked(root, kind="questions")))  # as workers get it
    first = ground.annotated(0).questions
    assert [(question.text, question.answer, question.kind) for question in first] == [
        ("what colour is it ?", "red", "colour"),
        ("is it red ?", "yes", ""),
    ]
    assert len(ground) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,question\nred.png,what ?\n", "columns named answer are needed"),
        ("image,question,answer\nred.png,,red\n", "question is empty"),
        ("image,question,answer\n../red.png,what ?,red\n", "leads out of the folder"),
        ("image,question,answer\n", "it has no lines"),
    ],
)
def test_what_is_wrong_with_a_table_of_questions_is_said_in_a_line(tmp_path, text, said):
    table(photographs(tmp_path / "photographs"), text, "questions.csv")
    with pytest.raises(ConceptDataError, match=said):
        open_asked(tmp_path / "photographs", kind="questions")


QUESTIONS = """image,question,answer,id
red.png,what colour is it ?,red,15
blue.png,is it a square ?,yes,27
red.png,is it a square ?,yes,3_1
"""


def gazes(root: Path, *names: str) -> Path:
    root.mkdir()
    for name in names:
        Image.fromarray(np.eye(10, 20, dtype=np.uint8) * 255).save(root / name)
    return root


def test_where_people_looked_is_found_by_the_id_of_the_question(tmp_path):
    root = photographs(tmp_path / "photographs")
    table(root, QUESTIONS, "questions.csv")
    folder = gazes(tmp_path / "hat", "15_1.png", "15_2.png", "3_1.png", "99_1.png", "note.txt.png")
    ground = open_asked(root, kind="questions", gazes=folder)
    assert len(ground) == 1  # of the blue one, nobody's gaze is known
    questions = ground.annotated(0).questions
    assert [len(question.gazes) for question in questions] == [2, 1]
    assert questions[0].gazes[0].shape == (10, 20)
    assert questions[0].gazes[0].max() == 255
    before = ground.identity()
    Image.new("L", (3, 3)).save(folder / "15_3.png")
    assert open_asked(root, kind="questions", gazes=folder).identity() != before


def test_what_is_wrong_with_where_people_looked_is_said_in_a_line(tmp_path):
    root = photographs(tmp_path / "photographs")
    table(root, QUESTIONS, "questions.csv")
    with pytest.raises(ConceptDataError, match="there is no such folder"):
        open_asked(root, kind="questions", gazes=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConceptDataError, match="it holds no pictures such as"):
        open_asked(root, kind="questions", gazes=tmp_path / "empty")
    with pytest.raises(ConceptDataError, match="none of its questions has a map"):
        open_asked(root, kind="questions", gazes=gazes(tmp_path / "others", "1_1.png"))
    folder = gazes(tmp_path / "broken")
    (folder / "15_1.png").write_bytes(b"no picture")
    with pytest.raises(PhotographError, match=r"15_1\.png"):
        open_asked(root, kind="questions", gazes=folder).annotated(0)
    table(root, "image,question,answer\nred.png,what colour is it ?,red\n", "questions.csv")
    with pytest.raises(ConceptDataError, match="it has no column id"):
        open_asked(root, kind="questions", gazes=folder)


def test_described_scenes_know_what_their_words_mean():
    captioned = open_captioned(None, kind="described", limit=3, seed=5)
    annotated = pickle.loads(pickle.dumps(captioned.ground)).annotated(1)
    words = annotated.captions[0].split()
    meanings = captioned.words.meanings(words)
    assert set(captioned.words.kinds_of(words)) == {"colour", "thing", "place", "function"}
    told = [name for name in meanings if name in annotated.places]
    assert len(told) == 4
    colour, thing, *_ = told
    assert annotated.places[colour] is annotated.places[thing]
    assert len(annotated.places[thing].boxes) == 1
    assert annotated.setting in words
    abouts = {question.about for question in annotated.questions} - {None}
    assert abouts <= set(annotated.places)
    assert {question.kind for question in annotated.questions} == {"colour", "thing", "presence", "place"}
    other = open_captioned(None, kind="described", limit=3, seed=6).ground.identity()
    assert captioned.ground.identity() != other


def test_a_table_of_ones_own_keeps_the_kinds_of_described_words(tmp_path):
    captioned = open_captioned(None, kind="described", limit=2, table=table(tmp_path, "word,object\ncar,car\n"))
    assert captioned.words.kinds == WORD_KINDS
    assert captioned.words.meanings(["red", "car"]) == [None, "car"]


def test_the_command_line_measures_captions(coco, run, tmp_path):
    words = ["--words", table(coco, "word,object\nsquare,person\nred,person\n"), "--out", tmp_path / "out"]
    data = ["--kind", "coco", "--data", coco, *TALKERS["captioner"], "--json"]
    for command in ("pointing", "ratio", "debts"):
        status, out, _ = run("evaluate", "captions", command, *data, *words, "--captions", "reference")
        assert status == 0
        report = json.loads(out)
        assert report["rows"]
        assert any("left out: 1 caption with a word" in note for note in report["notes"])
    page = json.loads((tmp_path / "out" / "caption-pointing.json").read_text())
    row = {row["method"]: row for row in page["rows"]}
    assert row["Grad-CAM"]["trials"] == 2
    assert row["(at random)"]["hits"]["value"] == pytest.approx(100 * 144 / 1024)


def test_the_command_line_measures_answers(run, tmp_path):
    root = photographs(tmp_path / "photographs")
    table(root, QUESTIONS, "questions.csv")
    data = [*TALKERS["answerer"], "--data", root, "--json"]
    status, out, _ = run("evaluate", "answers", "accuracy", *data, "--kind", "questions", "--out", tmp_path)
    assert status == 0
    assert json.loads(out)["rows"][0]["right"]["value"] == 100
    occlusion = ["occlusion-correlation", *data, "--kind", "questions", "--patch", "0.5", "--stride", "0.5"]
    status, out, _ = run("evaluate", "answers", *occlusion, "--out", tmp_path)
    assert status == 0
    assert [row["method"] for row in json.loads(out)["rows"]] == [
        "Grad-CAM",
        "Guided Backpropagation",
        "Guided Grad-CAM",
        "(the centre)",
    ]
    hat = gazes(tmp_path / "hat", "15_1.png")
    status, out, _ = run("evaluate", "answers", "attention", *data, "--attention", hat, "--out", tmp_path)
    assert status == 0
    assert {row["method"]: row["questions"] for row in json.loads(out)["rows"]} == {
        "Grad-CAM": 1,
        "(the centre)": 1,
        "(random maps)": 1,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["captions", "pointing", *TALKERS["answerer"], "--limit", "2"], "Answerer writes no captions"),
        (["captions", "debts", "--network", "scenes", "--limit", "2"], "writes no captions"),
        (["answers", "accuracy", *TALKERS["captioner"], "--limit", "2"], "Captioner answers no questions"),
        (["captions", "pointing", *TALKERS["captioner"], "--data", "x"], "--data would be ignored"),
        (["captions", "debts", *TALKERS["captioner"], "--kind", "captions", "--words", "x"], "would be ignored"),
        (["captions", "ratio", *TALKERS["captioner"], "--kind", "coco"], "there is no such folder"),
        (["answers", "pointing", *TALKERS["answerer"], "--kind", "questions"], "there is no such folder"),
        (["captions", "pointing", *TALKERS["captioner"], "--limit", "1", "--view", "ten"], "one crop"),
        (["captions", "pointing", *TALKERS["captioner"], "--limit", "2", "--method", "cam"], "CAM"),
    ],
)
def test_what_the_command_line_cannot_measure_is_said_in_a_line(run, tmp_path, words, said):
    status, _, err = run("evaluate", *words, "--out", tmp_path / "out")
    assert status == 2
    assert said in one_line(err)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("*.json"))


def test_data_without_masks_is_not_pointed_at(run, tmp_path):
    root = photographs(tmp_path / "photographs")
    table(root, "image,caption\nred.png,a red square\nblue.png,a blue square\n", "captions.csv")
    table(root, QUESTIONS, "questions.csv")
    for words in (
        ["captions", "pointing", *TALKERS["captioner"], "--kind", "captions"],
        ["answers", "pointing", *TALKERS["answerer"], "--kind", "questions"],
    ):
        status, _, err = run("evaluate", *words, "--data", root, "--out", tmp_path / "out")
        assert status == 2
        assert "needs to know what is in the images" in one_line(err)
