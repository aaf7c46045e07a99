"""The pages of a human study as raters meet them: in a browser, on a phone, from the keyboard, by requests."""

import json
import re
from contextlib import contextmanager

import pytest
from browser import DESKTOP, PHONE, page_size, violations
from fastapi.testclient import TestClient
from human_studies import LABELS, METHODS, small_study
from served import served

from dissection.networks.opening import open_network
from neuronexplain.evaluation.ground_truth.scene_pairs import ScenePairs
from neuronexplain.methods import METHODS as ALL_METHODS
from neuronexplain.studies.human.designs import Discrimination
from neuronexplain.studies.human.making import Extent, make_study
from neuronexplain.studies.human.questions import SCALE, SENTENCE
from neuronexplain.studies.human.ratings import Ratings
from neuronexplain.studies.human.results import PLAYED, StudyResults, table
from neuronexplain.studies.human.stimuli import Subject
from neuronexplain.web.study import COOKIE, study_app

BASE = "http://127.0.0.1:8000"


@contextmanager
def served_study(study, raters="played", **keywords):
    """The address of a study that is served."""
    with Ratings(study, raters) as ratings, served(study_app(ratings, **keywords)) as address:
        yield address


@contextmanager
def client_of(study, raters="people", **keywords):
    with Ratings(study, raters) as ratings, TestClient(study_app(ratings, **keywords), base_url=BASE) as client:
        yield client


def deal_in(page):
    return re.search(r'name="deal" value="([^"]+)"', page)[1]


# In a browser


@pytest.fixture
def scenes(tmp_path):
    """A study of the shipped network on pairs of scenes."""
    network = open_network("scenes")
    ground = ScenePairs(network.classes, images=12, seed=3)
    subject = Subject(network, [ALL_METHODS[name] for name in METHODS])
    return make_study(Discrimination((subject,), ground.objects), ground, tmp_path / "scenes", Extent(3))


def follow(page, button, *, key=None):
    """Click a button, or press a key on it, and wait for the page that it leads to."""
    with page.expect_navigation():
        button.press(key) if key else button.click()


def answer_all(page, choose):
    """Consent, and answer every question by a rule, which sees what is shown and the options; how many there were."""
    follow(page, page.get_by_role("button", name="I have read this and take part"))
    count = 0
    while page.locator(".answers").count():
        shown = page.locator(".stimuli img").get_attribute("src").split("/")[-1]
        options = page.locator(".answers button")
        labels = options.all_inner_texts()
        follow(page, options.nth(labels.index(choose(shown, labels))))
        count += 1
    return count


def solution_of(study, picture):
    return next(study.solutions[name] for name, asked in study.questions.items() if asked.stimuli[0].picture == picture)


def test_a_played_rater_in_a_browser_who_knows_is_always_right_and_never_taken_for_people(scenes, open_page):
    with served_study(scenes) as address:
        page = open_page(address)
        assert "never count as people" in page.locator("aside").inner_text()
        assert (
            answer_all(page, lambda picture, _: solution_of(scenes, picture).explained) == len(scenes.questions) == 12
        )
        assert page.get_by_role("heading", name="Thank you").is_visible()
    with Ratings(scenes, "played") as ratings:
        assert ratings.turnout.ratings == 12
        report = table([StudyResults(scenes, ratings.all(), "played")])
    assert {(row["accuracy"].low, row["accuracy"].value, row["accuracy"].high) for row in report.rows} == {(100,) * 3}
    assert report.title.startswith(PLAYED)
    assert not (scenes.folder / "ratings.db").exists()


@pytest.mark.parametrize(
    ("kind", "size", "dark"),
    [("discrimination", PHONE, True), ("trust", PHONE, False), ("trust", DESKTOP, True)],
)
def test_pages_are_readable_on_every_screen(tmp_path, open_page, kind, size, dark):
    study = small_study(tmp_path / "s", kind, images=2, visualisations=(METHODS[0], SENTENCE))
    with served_study(study, contact="Ada, ada@example.org") as address:
        page = open_page(address, size=size, dark=dark, touch=size == PHONE)
        looked_at = set()

        def look(name):
            if name not in looked_at:
                looked_at.add(name)
                assert violations(page) == []
                assert page_size(page)[0] <= size[0]

        look("consent")
        follow(page, page.get_by_role("button", name="I have read this and take part"))
        while page.locator(".answers").count():
            look("words" if page.locator("blockquote").count() else "pictures")
            follow(page, page.locator(".answers button").first)
        page.locator("summary").click()
        look("end")
        follow(page, page.get_by_role("button", name="Delete them now"))
        look("deleted")
        assert looked_at == {"consent", "words", "pictures", "end", "deleted"}
        with Ratings(study, "played") as ratings:
            assert ratings.turnout.raters == 0


def test_a_rater_needs_no_mouse_and_can_stop_and_come_back(tmp_path, open_page):
    study = small_study(tmp_path / "s", images=2, visualisations=METHODS[:1])
    with served_study(study, "people") as address:
        page = open_page(address, scripts=False)

        def press(times, key):
            for _ in range(times):
                page.keyboard.press("Tab")
            with page.expect_navigation():
                page.keyboard.press(key)

        press(2, "Enter")  # past the link to the contents, to the button
        for number in (1, 2):
            assert page.locator(".count label").inner_text() == f"Question {number} of 4"
            press(2, "Space")
        follow(page, page.get_by_role("button", name="Stop here"), key="Enter")
        assert "You have answered 2 questions. Your answers are kept." in page.locator(".lede").inner_text()
        page.goto(address)
        follow(page, page.get_by_role("button", name="Go on with the questions"), key="Enter")
        assert page.locator(".count label").inner_text() == "Question 3 of 4"
        follow(page, page.locator(".answers button").first, key="Enter")
        page.go_back()  # to the third question, and answers what is there
        follow(page, page.locator(".answers button").last, key="Enter")
    with Ratings(study, "people") as ratings:
        assert len(ratings.all()) == len({rating.question for rating in ratings.all()})


# Through requests


def test_nothing_that_is_served_tells_the_answer(tmp_path):
    """Pages of one question differ from each other in what is shown alone, whichever category is explained."""
    study = small_study(tmp_path / "s", images=3)
    shapes = set()
    with client_of(study) as client:
        client.post("/begin")
        for _ in range(len(study.questions)):
            response = client.get("/question")
            question = next(
                question for question in study.questions.values() if question.stimuli[0].picture in response.text
            )
            solution = study.solutions[question.id]
            for secret in (solution.image, solution.visualisation, question.id, *METHODS, "answer=", "position"):
                assert secret not in response.text
            shape = response.text
            for name in (question.stimuli[0].picture, deal_in(response.text)):
                shape = shape.replace(name, "")
            shape = re.sub(r"Question \d+|value=\"\d+\"", "", shape)
            shapes.add(shape if shape.index("cat</button>") < shape.index("dog</button>") else _exchanged(shape))
            picture = client.get(f"/pictures/{question.stimuli[0].picture}")
            assert picture.headers["content-type"] == "image/png"
            assert not {"last-modified", "etag", "content-disposition"} & set(picture.headers)
            client.post("/answer", data={"deal": deal_in(response.text), "answer": "0"})
    assert len(shapes) == 1


def _exchanged(page):
    return page.replace("cat</", "cow</").replace("dog</", "cat</").replace("cow</", "dog</")


@pytest.mark.parametrize("kind", ["discrimination", "trust"])
def test_the_questions_are_the_papers(tmp_path, kind):
    study = small_study(tmp_path / "s", kind, images=1, visualisations=METHODS[:1])
    with client_of(study) as client:
        client.post("/begin")
        page = client.get("/question").text
    if kind == "discrimination":
        assert "<h1>What do you see?</h1>" in page
        assert all(f">{label}</button>" in page for label in LABELS)
    else:
        assert "Both robots predicted: <strong>cat</strong>" in page
        assert re.findall(r"Robot ([AB]) based its decision on\n?<", page) == ["A", "B"]
        assert re.findall(r'<button name="answer" value="(-?\d)">([^<]+)<', page) == [
            (str(value), words) for value, words in SCALE.items()
        ]


def test_answers_that_are_none_double_or_late_are_told_and_not_kept(tmp_path):
    study = small_study(tmp_path / "s")
    with client_of(study) as client:
        client.post("/begin")
        deal = deal_in(client.get("/question").text)
        for answer in ("", "x", "5", "-1", "²", "1" * 10):
            page = client.post("/answer", data={"deal": deal, "answer": answer})
            assert "No answer was chosen" in page.text
            assert deal_in(page.text) == deal
        assert "No answer was chosen" in client.post("/answer", data={"deal": deal}).text
        following = client.post("/answer", data={"deal": deal, "answer": "1"})
        assert 'role="alert"' not in following.text
        assert "your first answer is kept" in client.post("/answer", data={"deal": deal, "answer": "0"}).text
        assert "not open any more" in client.post("/answer", data={"deal": "none", "answer": "0"}).text
        assert client.post("/answer", data={"deal": "n" * 101, "answer": "0"}).status_code == 422
        assert client.get("/question?note=<script>").status_code == 422
        assert client.post("/answer", content=b"x" * 5000).status_code == 413
        assert client.get("/pictures/..%2F..%2Fanswers.json").status_code == 404
        assert client.get("/answers.json").status_code == 404
    with Ratings(study, "people") as ratings:
        assert len(ratings.all()) == 1


def test_who_has_not_consented_sees_no_question(tmp_path):
    study = small_study(tmp_path / "s")
    with client_of(study, contact="Ada <ada@example.org>") as client:
        for method, path in (("GET", "/question"), ("GET", "/end"), ("POST", "/answer"), ("POST", "/stop")):
            page = client.request(method, path)
            assert "I have read this and take part" in page.text, path
        assert "Ada &lt;ada@example.org&gt;" in client.get("/").text
        assert COOKIE not in client.cookies
        began = client.post("/begin", follow_redirects=False)
        assert {"HttpOnly", "SameSite=lax"} <= set(began.headers["set-cookie"].split("; "))
        token = client.cookies[COOKIE]
        client.post("/begin")
        assert client.cookies[COOKIE] == token  # once a rater, the same rater
        foreign = client.post("/withdraw", headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert "are deleted" in client.post("/withdraw").text
        assert COOKIE not in client.cookies
        assert "I have read this" in client.get("/question").text


def test_a_rater_who_has_seen_all_is_thanked(tmp_path):
    study = small_study(tmp_path / "s", per_rater=2)
    with client_of(study) as client:
        page = client.post("/begin")
        for _ in range(2):
            page = client.post("/answer", data={"deal": deal_in(page.text), "answer": "1"})
        assert "There is no further question for you" in page.text
        assert "You have answered 2 questions" in page.text


# Making


def test_a_study_of_scenes_is_made_resumed_and_refused(tmp_path, monkeypatch):
    network = open_network("scenes")
    ground = ScenePairs(network.classes, images=12, seed=3)
    methods = [ALL_METHODS["guided-grad-cam"]]

    def make(folder, seed=0):
        design = Discrimination((Subject(network, methods),), ground.objects)
        return make_study(design, ground, folder, Extent(3, seed=seed))

    whole = make(tmp_path / "whole")
    assert len(whole.questions) == 6
    stops = iter([False, False, True])  # what identifies the data, the first image, the second
    look = ScenePairs.annotated
    monkeypatch.setattr(
        ScenePairs, "annotated", lambda self, index: _stop() if next(stops, True) else look(self, index)
    )
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "parts")
    monkeypatch.setattr(ScenePairs, "annotated", look)
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts/public/pictures").iterdir()}
    parts = make(tmp_path / "parts")
    assert len(first) == 2
    assert all((tmp_path / "parts/public/pictures" / name).stat().st_mtime_ns == time for name, time in first.items())

    def content(study):
        return sorted(
            (vars_of(solution), (study.folder / "public/pictures" / question.stimuli[0].picture).read_bytes())
            for question, solution in ((study.questions[name], study.solutions[name]) for name in study.questions)
        )

    assert content(parts) == content(whole)
    assert make(tmp_path / "parts").digest == parts.digest
    for solution in whole.solutions.values():
        scenes = ground.annotated(int(solution.image.split()[1])).categories
        assert solution.explained in scenes
    with pytest.raises(Exception, match="another seed"):
        make(tmp_path / "parts", seed=1)
    json.loads((tmp_path / "parts" / "answers.json").read_text())


def vars_of(solution):
    return (solution.image, solution.visualisation, solution.explained, solution.position)


def _stop():
    raise KeyboardInterrupt
