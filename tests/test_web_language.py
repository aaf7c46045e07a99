"""The application over networks that write and answer: captions, questions, and what is asked in vain."""

import io
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from talkers import QUESTIONS
from worlds import colour_concepts, colour_square

from db import NameStore
from dissection.networks.opening import open_network
from neuronexplain import build
from neuronexplain.web.api_types import Asked
from neuronexplain.web.app import names_app

TALKERS = Path(__file__).with_name("talkers.py")
CAPTIONER, ASKED = 1, 2


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Over a database of a captioner, and an answerer with a question."""
    database = tmp_path_factory.mktemp("talkers") / "names.db"
    asked = open_network(f"{TALKERS}:answerer").asked(QUESTIONS[0])
    with NameStore.create(database) as store:
        for network in (open_network(f"{TALKERS}:captioner"), asked):
            build(network, colour_concepts(), store, draws=20)
    with NameStore.open(database) as store, TestClient(names_app(store), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def writing(tmp_path_factory):
    """Over a database of a network that writes its answers."""
    database = tmp_path_factory.mktemp("writer") / "names.db"
    build(f"{TALKERS}:answer_writer", colour_concepts(), database, draws=0)
    with NameStore.open(database) as store, TestClient(names_app(store), base_url="http://127.0.0.1") as client:
        yield client


def sent(client, run, *, to="/api/explanations", **fields):
    photograph = io.BytesIO()
    colour_square("red").save(photograph, "PNG")
    files = {"photograph": ("red.png", photograph.getvalue())}
    return client.post(to, files=files, data={"run": run, **fields}, follow_redirects=False)


def answered(client, response):
    """The answer, once it is there, as it is described."""
    place = response.headers["location"].replace("/api", "")
    while (job := client.get(f"/api{place}").json())["state"] not in {"done", "failed"}:
        time.sleep(0.01)
    Asked.model_validate(job)
    return job


def test_a_caption_is_explained_word_by_word(client):
    response = sent(client, CAPTIONER, to="/explanations")
    (caption,) = answered(client, response)["explanations"]
    assert caption["caption"] == "a red square"
    assert [word["explanation"] is not None for word in caption["words"]] == [False, True, False]
    page = client.get(response.headers["location"])
    assert "It would say “a” and “square” whatever the picture." in page.text
    assert "style=" not in page.text
    assert "/classes/" not in page.text
    download = client.get(f"{response.headers['location']}/page")
    assert "“a red square”" in download.text


def test_a_caption_can_be_given(client):
    (caption,) = answered(client, sent(client, CAPTIONER, caption="a blue square"))["explanations"]
    assert caption["caption"] == "a blue square"


def test_a_question_is_answered(client):
    (answer,) = answered(client, sent(client, ASKED, question=QUESTIONS[0]))["explanations"]
    assert answer["target"]["label"] == "red"
    (pair,) = answered(client, sent(client, ASKED, question=QUESTIONS[0], target=["red", "blue"]))["explanations"]
    assert [side["target"]["label"] for side in pair["explanations"]] == ["red", "blue"]


def test_a_written_answer_is_explained_word_by_word(writing):
    (answer,) = answered(writing, sent(writing, 1, question=QUESTIONS[0]))["explanations"]
    assert answer["caption"] == "red light"
    assert [word["explanation"] is not None for word in answer["words"]] == [True, False]
    for field in ("caption", "target"):
        (answer,) = answered(writing, sent(writing, 1, question=QUESTIONS[0], **{field: "blue light"}))["explanations"]
        assert answer["caption"] == "blue light"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "AnswerWriter writes answers to questions; ask it one"),
        ({"question": QUESTIONS[0], "target": ["red", "blue"]}, "one caption or answer at a time"),
        ({"question": QUESTIONS[0], "target": "red", "caption": "blue"}, "one caption or answer at a time"),
    ],
)
def test_what_a_network_that_writes_answers_cannot_do_is_a_sentence(writing, fields, reason):
    job = answered(writing, sent(writing, 1, **fields))
    assert job["state"] == "failed"
    assert reason in job["error"]


@pytest.mark.parametrize(
    ("run", "fields", "reason"),
    [
        (ASKED, {"question": QUESTIONS[0], "caption": "red"}, "Answerer has classes, and writes nothing"),
        (CAPTIONER, {"target": "red"}, "Captioner has no classes; ask it a question, or leave the class out"),
        (CAPTIONER, {"question": "x" * 300}, "question: String should have at most 200 characters"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(client, run, fields, reason):
    response = sent(client, run, **fields)
    assert response.status_code in {400, 422}
    assert reason in response.json()["detail"]


@pytest.mark.parametrize(
    ("run", "fields", "reason"),
    [
        (CAPTIONER, {"question": "what ?"}, "Captioner answers no questions"),
        (CAPTIONER, {"caption": "a", "question": "what ?"}, "Captioner answers no questions"),
        (CAPTIONER, {"caption": "a dog"}, "the network does not know the word 'dog'"),
        (ASKED, {"question": QUESTIONS[0], "target": "dog"}, "the network has no class 'dog'"),
        (ASKED, {}, "Answerer has no classes; ask it a question"),
    ],
)
def test_what_the_network_cannot_do_is_a_sentence(client, run, fields, reason):
    job = answered(client, sent(client, run, **fields))
    assert job["state"] == "failed"
    assert reason in job["error"]


@pytest.mark.parametrize(("run", "fields"), [(CAPTIONER, 2), (ASKED, 1)])
def test_the_form_asks_what_the_network_understands(client, run, fields):
    form = client.get(f"/?run={run}").text
    assert sum(f'name="{name}"' in form for name in ("question", "caption")) == fields


def test_where_there_are_no_classes_the_pages_say_what_to_ask(client):
    assert "0 classes" not in client.get(f"/runs/{CAPTIONER}").text
    page = client.get(f"/runs/{CAPTIONER}/classes").text
    assert "This network has no classes" in page
    assert f'href="/?run={CAPTIONER}"' in page


def test_where_a_neuron_is_alive(client):
    seen = answered(client, sent(client, CAPTIONER, to=f"/runs/{CAPTIONER}/neurons/0/photographs"))["neuron"]
    assert seen["share"] > 0.1


@pytest.mark.parametrize("page", ["", "/classes", "/concepts", "/concept?name=red", "/neurons", "/neurons/0"])
@pytest.mark.parametrize("run", [CAPTIONER, ASKED])
def test_pages_of_such_runs(client, run, page):
    assert client.get(f"/runs/{run}{page}").status_code == 200
