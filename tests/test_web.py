"""The application over a database: every route, what it answers to what is wrong, and what it leaves behind."""

import io
import json
import random
import sys
import threading
import time
from dataclasses import replace
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from two_runs import two_runs
from worlds import CLASSES, colour_square

from db import NameStore
from neuronexplain.web import asking, browse, uploads
from neuronexplain.web.app import names_app
from neuronexplain.web.explaining import NetworkPlace
from neuronexplain.web.inline_styles import policy_with, without_style_attributes
from neuronexplain.web.jobs import MOST_WAITING, BusyError, Jobs
from neuronexplain.web.limited import Limited
from neuronexplain.web.protection import HEADERS

BASE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def database(made_once):
    return two_runs(made_once)


@pytest.fixture(scope="module")
def client(database):
    with NameStore.open(database) as store, TestClient(names_app(store), base_url=BASE) as client:
        yield client


def square(colour="red", form="PNG", **options) -> bytes:
    stream = io.BytesIO()
    colour_square(colour).save(stream, form, **options)
    return stream.getvalue()


def answer_of(client, response):
    """The answer at a job's place, once it is there."""
    place = response.headers["location"]
    for _ in range(600):
        job = client.get(place.replace("/explanations", "/api/explanations") if "/api" not in place else place).json()
        if job["state"] in {"done", "failed"}:
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def ask(client, photograph=None, *, to="/api/explanations", name="red.png", **fields):
    files = {"photograph": (name, square() if photograph is None else photograph)}
    return client.post(to, files=files, data=fields, follow_redirects=False)


GOOD = [
    "/",
    "/?run=1",
    "/runs",
    "/runs/2",
    "/compare?a=1&b=2",
    "/compare?a=1&b=1",
    "/runs/1/classes",
    "/runs/1/classes?start=3",
    "/runs/1/classes/0",
    "/runs/2/classes/0",
    "/runs/1/concepts",
    "/runs/1/concept?name=RED",
    "/runs/2/concept?name=red",
    "/runs/1/neurons",
    "/runs/1/neurons?order=q",
    "/runs/1/neurons?order=name&start=99999",
    "/runs/1/neurons/3",
    "/runs/2/neurons/0",
    "/search",
    "/search?q=fire",
    "/search?q=3",
    "/glossary",
]


@pytest.mark.parametrize("place", GOOD)
def test_every_page_answers(client, place):
    response = client.get(place)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "style=" not in response.text, "the policy allows no style attributes"
    assert response.text.endswith("</html>")


def test_every_route_is_tried(client):
    """Whoever adds a route adds it here."""
    paths = {route.path for module in (asking, browse) for route in module.routes.routes}
    assert {path for path in paths if not path.startswith("/api")} == {
        "/",
        "/explanations",
        "/explanations/{answer}",
        "/explanations/{answer}/page",
        "/runs/{run}/neurons/{unit}/photographs",
        "/runs",
        "/compare",
        "/runs/{run}",
        "/runs/{run}/classes",
        "/runs/{run}/classes/{index}",
        "/runs/{run}/concepts",
        "/runs/{run}/concept",
        "/runs/{run}/neurons",
        "/runs/{run}/neurons/{unit}",
        "/runs/{run}/neurons/{unit}/exemplars/{rank}",
        "/search",
        "/glossary",
    }
    assert set(client.get("/api/openapi.json").json()["paths"]) == {
        "/api/runs",
        "/api/compare",
        "/api/runs/{run}/units",
        "/api/runs/{run}/concepts",
        "/api/runs/{run}/classes",
        "/api/search",
        "/api/explanations",
        "/api/explanations/{answer}",
    }


def test_pages_say_what_the_database_holds(client):
    assert "draws 199" in client.get("/runs").text
    assert "red" in client.get("/runs/1/neurons/0").text
    assert "95 % interval" in client.get("/runs/1/classes/0").text
    neuron = client.get("/runs/1/neurons/0").text
    assert neuron.count("<figcaption><b>red</b>") == 9
    assert 'alt="red in photo 0, with a ring where neuron 0 is most active"' in neuron
    assert "9 of 9 are labelled red there, at the ring." in neuron
    picture = client.get("/runs/1/neurons/0/exemplars/0")
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/api/runs", ["runs"]),
        ("/api/runs/1/units", ["units", "--run", "1"]),
        ("/api/runs/1/units?unit=2", ["units", "--run", "1", "--unit", "2"]),
        ("/api/runs/1/units?concept=red&proven=true", ["units", "--run", "1", "--concept", "red", "--proven"]),
        ("/api/runs/1/units?min_iou=1", ["units", "--run", "1", "--min-iou", "1"]),
        ("/api/runs/1/concepts?of=fire", ["concepts", "of", "fire", "--run", "1"]),
        ("/api/runs/2/concepts?of=fire&limit=2", ["concepts", "of", "fire", "--run", "2", "--limit", "2"]),
        ("/api/runs/1/classes?for=red", ["classes", "for", "red", "--run", "1"]),
        ("/api/runs/1/classes?for=red&rank_by=alpha", ["classes", "for", "red", "--run", "1", "--rank-by", "alpha"]),
    ],
)
def test_the_data_is_what_the_command_line_prints(client, database, run, place, words):
    status, out, _ = run(*words, "--db", database, "--json")
    assert status == 0
    assert client.get(place).json() == json.loads(out)


def test_an_explanation_is_what_the_command_line_prints(client, database, run, tmp_path):
    (tmp_path / "red.png").write_bytes(square())
    _, out, _ = run("explain", tmp_path / "red.png", "--db", database, "--run", 1, "--target", "lake", "--json")
    expected = json.loads(out)
    expected[0]["image"] = "red.png"
    job = answer_of(client, ask(client, run=1, target="lake"))
    assert job["explanations"] == expected


def test_a_photograph_is_explained_shown_and_downloaded(client):
    sent = ask(client, to="/explanations", target=["fire", "lake"], method=["guided-grad-cam"], run="1")
    assert sent.status_code == 303
    job = answer_of(client, sent)
    (pair,) = job["explanations"]
    assert [side["target"]["label"] for side in pair["explanations"]] == ["fire", "lake"]
    assert len(pair["contrasts"]) == 2
    page = client.get(sent.headers["location"])
    assert "Guided Grad-CAM" in page.text
    assert "/runs/1/classes/2" in page.text
    assert "style=" not in page.text
    assert "sha256-" in page.headers["content-security-policy"]
    download = client.get(f"{sent.headers['location']}/page")
    assert download.headers["content-disposition"] == 'attachment; filename="red-explained.html"'
    assert "http-equiv" in download.text


def test_where_a_neuron_is_alive(client):
    for colour, is_lit in (("red", True), ("blue", False)):
        sent = ask(client, square(colour), to="/runs/1/neurons/0/photographs")
        seen = answer_of(client, sent)["neuron"]
        assert (seen["share"] > 0.1) is is_lit
        page = client.get(sent.headers["location"])
        assert ("It is lit" in page.text) is is_lit
    assert client.get(f"{sent.headers['location']}/page").status_code == 404


def test_what_cannot_be_done_is_a_sentence(client, database):
    with NameStore.open(database) as store:
        elsewhere = TestClient(names_app(store, NetworkPlace(network="nowhere.py:make")), base_url=BASE)
        job = answer_of(elsewhere, ask(elsewhere))
        assert job["state"] == "failed"
        assert "nowhere.py" in job["error"]
        assert "nowhere.py" in elsewhere.get(job["page"]).text


def damaged() -> bytes:
    return square(form="PNG")[:-20]


def huge() -> bytes:
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("photograph", "words"),
    [
        (b"", "is empty"),
        (b"hello", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (damaged, "cut short or damaged"),
        (huge, "at most 40 million"),
        (lambda: b"x" * (21 * 2**20), "the most that may be sent"),
    ],
    ids=["empty", "text", "postscript", "svg", "damaged", "huge", "long"],
)
def test_a_bad_upload_is_one_sentence(client, photograph, words):
    data = photograph() if callable(photograph) else photograph
    response = ask(client, data)
    assert 400 <= response.status_code < 500
    assert words in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


def test_the_name_of_an_upload_is_no_path(client):
    for name in ("../../etc/passwd", "..\\..\\x.png", "/a/b/c.png", "\u202egnp.exe", "a\r\nb.png"):
        job = answer_of(client, ask(client, name=name))
        image = job["explanations"][0]["image"]
        assert not set(image) & set("/\r\n\u202e")
        assert image.rpartition("\\")[2] == image or "\\u" in image or "\\r" in image
    assert uploads.Upload.checked(None, square()).name == "photograph"


def test_what_is_asked_for_wrongly_is_refused(client):
    for fields, status in (
        ({"target": "no such class"}, 404),
        ({"target": ["fire", "lawn", "lake"]}, 422),
        ({"target": "x" * 300}, 422),
        ({"method": "../../x"}, 422),
        ({"run": "99"}, 404),
        ({"run": "/etc/passwd"}, 422),
        ({"run": "-1"}, 422),
    ):
        response = ask(client, **fields)
        assert response.status_code == status, fields
        assert response.json()["detail"]
    assert client.post("/api/explanations").status_code == 422
    assert client.get("/explanations/nonsense").status_code == 404
    assert client.get("/runs/1/concept?name=nonsense").status_code == 404
    assert client.get("/runs/1/neurons/4").status_code == 404
    assert client.get("/runs/1/classes/4").status_code == 404
    assert client.get("/runs/1/neurons/0/exemplars/99").status_code == 404
    assert client.get("/runs/99").status_code == 404
    assert client.get("/api/runs/2/units?proven=1").status_code == 409


NASTY = [
    "",
    "-1",
    "0",
    "1",
    "99999999999999999999",
    "1e9",
    "nan",
    "NaN",
    "\x00",
    "%00",
    "../..",
    "'; DROP TABLE runs;--",
]
NASTY += [
    "<script>alert(1)</script>",
    "\u202e",
    "\ud83d\ude00",
    "x" * 5000,
    "{{7*7}}",
    "[]",
    "true",
    "red",
    "fire",
    "lit",
]
SENDABLE = [name for name in NASTY if name and name.encode(errors="ignore").decode() == name]
"""Those that a client can send as a file's name."""


def test_no_parameter_makes_it_fail(client, database, tmp_path, monkeypatch):
    """Every parameter of every route, with values that were never meant: answered, or refused with a sentence."""
    monkeypatch.chdir(tmp_path)
    before = database.read_bytes()
    generator = random.Random(0)
    templates = [
        "/?run={}",
        "/runs/{}",
        "/compare?a={}&b={}",
        "/runs/{}/classes?start={}",
        "/runs/1/classes/{}",
        "/runs/1/concept?name={}",
        "/runs/1/neurons?order={}&start={}",
        "/runs/1/neurons/{}",
        "/runs/1/neurons/0/exemplars/{}",
        "/search?q={}",
        "/explanations/{}",
        "/explanations/{}/page",
        "/static/{}",
        "/api/compare?a={}&b={}",
        "/api/runs/1/units?unit={}&concept={}&proven={}&min_iou={}",
        "/api/runs/{}/concepts?of={}&rank_by={}&limit={}&min_iou={}",
        "/api/runs/1/classes?for={}&rank_by={}&limit={}",
        "/api/search?q={}",
        "/api/explanations/{}",
    ]
    for template in templates:
        for _ in range(10):
            values = [quoted(generator.choice(NASTY)) for _ in range(template.count("{}"))]
            response = client.get(template.format(*values))
            assert response.status_code < 500, (template, values, response.text)
            if response.status_code >= 400:
                assert "Traceback" not in response.text
            assert "<script>alert" not in response.text
    assert database.read_bytes() == before
    assert not list(tmp_path.iterdir())
    assert {path.name for path in database.parent.iterdir()} == {database.name}


def quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


def test_no_upload_makes_it_fail(client, tmp_path, monkeypatch):
    """Photographs with bytes changed, cut off and repeated, in several formats."""
    monkeypatch.chdir(tmp_path)
    generator = random.Random(1)
    for form in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        for _ in range(8):
            data = bytearray(square(form=form))
            for _ in range(generator.choice([1, 4, 30])):
                data[generator.randrange(len(data))] = generator.randrange(256)
            kept = bytes(data[: generator.randrange(len(data))]) if generator.random() < 0.3 else bytes(data)
            response = ask(client, kept, name=generator.choice(SENDABLE))
            while response.status_code == 429:
                time.sleep(0.05)
                response = ask(client, kept)
            assert response.status_code < 500
            assert response.status_code == 202 or response.json()["detail"]
    assert not list(tmp_path.iterdir())


def test_a_full_queue_asks_to_come_again():
    jobs, gate = Jobs(), threading.Event()
    first = jobs.add(lambda progress: gate.wait(10))
    while first.state == "waiting":
        time.sleep(0.01)
    later = [jobs.add(lambda progress: 1) for _ in range(MOST_WAITING)]
    assert jobs.ahead_of(later[0]) == 1
    assert jobs.ahead_of(later[-1]) == MOST_WAITING
    with pytest.raises(BusyError, match="try again"):
        jobs.add(lambda progress: 1)
    gate.set()
    while not later[-1].is_over:
        time.sleep(0.01)
    assert [job.result for job in later] == [1] * MOST_WAITING


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError()])
def test_a_job_that_breaks_does_not_break_the_next(error, caplog):
    def breaks(progress):
        raise error

    jobs = Jobs()
    broken, sound = jobs.add(breaks), jobs.add(lambda progress: "sound")
    while not sound.is_over:
        time.sleep(0.01)
    assert (broken.state, sound.result) == ("failed", "sound")
    assert broken.error


def test_what_is_kept_is_bounded():
    kept = Limited(10)
    assert kept.keep("a", 1, 4) == []
    kept.keep("b", 2, 4)
    assert kept.get("a") == 1
    assert kept.keep("c", 3, 4) == [2], "what was asked for longest ago goes"
    assert kept.keep("d", 4, 11) == [], "what is too heavy is not kept"
    assert [kept.get(key) for key in "abcd"] == [1, None, 3, None]
    assert len(kept) == 2
    assert kept.keep("a", 5, 4) == [1]
    kept.clear()
    assert kept.get("a") is None


def test_answers_follow_the_database(database, tmp_path, monkeypatch):
    """What was remembered goes when a run goes."""
    monkeypatch.setattr("neuronexplain.web.remembered._FRESH", 0)
    copy = tmp_path / "copy.db"
    copy.write_bytes(database.read_bytes())
    with NameStore.open(copy) as store, TestClient(names_app(store), base_url=BASE) as client:
        client.get("/runs")
        while client.app.state.names.catalogue.is_reading:
            time.sleep(0.01)
        assert "4 of 4" in client.get("/runs").text
        assert [client.get("/runs/1").status_code for _ in range(2)] == [200, 200]
        with NameStore.create(copy) as writable:
            writable.delete(writable.run(1))
        assert client.get("/runs/1").status_code == 404
        assert [row["run"] for row in client.get("/api/runs").json()] == [2]
        copy.write_bytes(b"no database" * 1000)
        assert client.get("/runs/2").status_code in {409, 503}


def test_a_database_without_runs_is_shown(tmp_path):
    NameStore.create(tmp_path / "empty.db").close()
    with NameStore.open(tmp_path / "empty.db") as store, TestClient(names_app(store), base_url=BASE) as client:
        for place in ("/", "/runs", "/search?q=x"):
            assert client.get(place).status_code == 200
        assert client.get("/api/runs").json() == []
        assert ask(client).status_code == 404


def test_hostile_names_are_shown_as_text(database, tmp_path):
    nasty = '<img src=x onerror=alert(1)> style="color:red" \u202e{{7*7}}'
    with NameStore.open(database) as store:
        whole = store.whole(store.run(2))
    with NameStore.create(tmp_path / "n.db") as store:
        labelled = replace(whole.run, classes=(nasty, *CLASSES[1:]), network=nasty, concepts=nasty)
        importances = [replace(one, label=labelled.classes[one.index]) for one in whole.importances]
        store.publish(labelled, whole.dissection, importances, whole.pictures)
    with NameStore.open(tmp_path / "n.db") as store, TestClient(names_app(store), base_url=BASE) as client:
        for place in ("/", "/runs", "/runs/1", "/runs/1/classes", "/runs/1/classes/0", "/search?q=img"):
            text = client.get(place).text
            assert "<img src=x" not in text
            assert "\u202e" not in text
            assert "&lt;img" in text
            assert "49" not in text
        assert "\u202e" not in client.get("/api/search?q=img").text


def test_style_attributes_become_a_sheet_that_the_policy_allows():
    html, style = without_style_attributes('<i style="--a: 1"></i><i style="--a: 1"></i><b>&#34; style=&#34;x</b>')
    assert html == '<i data-styled="0"></i><i data-styled="0"></i><b>&#34; style=&#34;x</b>'
    assert style == '[data-styled="0"]{--a: 1}'
    policy = policy_with(HEADERS["content-security-policy"], style)
    assert "style-src 'self' 'sha256-" in policy


def test_without_the_extra_one_line_says_what_to_install(database, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    status, _, error = run("serve", "--db", database)
    assert status == 2
    assert error == (
        "neuronexplain: a web application needs the package 'python_multipart': pip install 'neuronexplain[web]'\n"
    )
