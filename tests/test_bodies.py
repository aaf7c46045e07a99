"""Names belong to a body: networks that share one share its names, and nothing that a run says of classes."""

import io
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from talkers import ANSWERS, COLOURS, QUESTIONS, Answerer, Captioner, answer_writer, answerer, captioner
from torch import nn
from worlds import CLASSES, PLAIN, ColourNet, colour_concepts, colour_network, colour_square

from db import NameStore, RunNotFoundError
from db.exchange.plain_files import read_json, write_json
from dissection.networks.network import Network
from neuronexplain import CaptionExplainer, Explainer, build, explain, open_network_of
from neuronexplain.bodies import run_of
from neuronexplain.web.app import names_app
from neuronexplain.web.explaining import NetworkPlace

HERE = Path(__file__).parent
CAPTIONER = f"{HERE / 'talkers.py'}:captioner"
HEADS = """
from dataclasses import replace
import torch
from talkers import Captioner, captioner
from torch import nn
from worlds import PLAIN, ColourNet
from dissection.networks.network import Network


def network(classes, factor=1.0):
    module = ColourNet()
    module.head = nn.Linear(4, len(classes))
    with torch.no_grad():
        module.head.weight.copy_(torch.eye(len(classes), 4) * 9)
        module.detect.weight.mul_(factor)
    return Network.from_module(module.eval(), layer="rectify", preprocessing=PLAIN, classes=classes, name="other head")


def three():
    return network(["rose", "leaf", "sea"])


def four():
    return network(["rose", "leaf", "sea", "sun"])


def other_trunk():
    return network(["rose", "leaf", "sea"], 0.5)


def at_another_layer():
    return captioner().at("trunk.detect")
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A classifier's database, photographs, and other heads."""
    place = tmp_path_factory.mktemp("bodies")
    build(f"{HERE / 'worlds.py'}:colour_network", colour_concepts(), place / "names.db", draws=20)
    (place / "heads.py").write_text(HEADS)
    colour_square("red").save(place / "red.png")
    return place


@pytest.fixture
def store(place):
    with NameStore.open(place / "names.db") as store:
        yield store


def classifier(classes=("rose", "leaf", "sea"), module=None) -> Network:
    module = module or ColourNet()
    torch.manual_seed(0)
    module.head = nn.Linear(4, len(classes))
    return Network.from_module(module.eval(), layer="rectify", preprocessing=PLAIN, classes=classes)


def test_a_run_keeps_what_its_names_depend_on_and_the_whole(store):
    (run,) = store.runs()
    assert run.key.network == colour_network().whole_fingerprint
    assert run.body == colour_network().body_fingerprint == captioner().fingerprint == answerer().fingerprint
    assert run.known_by == {run.key.network, run.body}


def test_words_and_answers_are_explained_with_a_classifiers_names_as_with_their_own(store, tmp_path):
    own = tmp_path / "own.db"
    build(captioner(), colour_concepts(), own, draws=20)
    for network in (captioner(), answer_writer().asked(QUESTIONS[0])):
        said = [
            CaptionExplainer.from_store(network, names).explain(colour_square("red")).to_dict()
            for names in (store, own)
        ]
        assert said[0] == said[1]
        assert "its neuron for red (" in json.dumps(said[0])
    asked = answerer().asked(QUESTIONS[0])
    shared, by_itself = (explain(colour_square("blue"), asked, names).to_dict() for names in (store, own))
    assert shared == by_itself
    assert len(store.runs()) == 1


def test_the_command_line_takes_a_captioner_over_the_trunk(place, run):
    status, said, error = run(
        "explain", place / "red.png", "--db", place / "names.db", "--network", CAPTIONER, "--words"
    )
    assert (status, error) == (0, "")
    assert "because its neuron for red (" in said
    status, page, _ = run(
        *("explain", place / "red.png", "--db", place / "names.db", "--network", f"{HERE / 'talkers.py'}:answerer"),
        *("--question", QUESTIONS[0], "--out", place / "page"),
    )
    assert status == 0
    assert "because its neuron for red (" in page
    assert "Answerer, over the body of ColourNet" in (place / "page" / "index.html").read_text()
    status, listed, _ = run("runs", "--db", place / "names.db", "--json")
    (row,) = json.loads(listed)
    assert row["body"] == captioner().fingerprint != row["fingerprint"]


@pytest.mark.parametrize(
    ("head", "labels"), [("three", ["rose", "leaf", "sea"]), ("four", ["rose", "leaf", "sea", "sun"])]
)
def test_another_head_has_the_names_and_nothing_of_the_classes(place, store, run, head, labels):
    """Also where it has as many classes: those of the run are another network's."""
    (kept,) = store.runs()
    status, said, error = run(
        *(
            "explain",
            place / "red.png",
            "--db",
            place / "names.db",
            "--network",
            f"{place / 'heads.py'}:{head}",
            "--json",
        )
    )
    assert status == 0
    assert error.startswith(
        "other head has the body of ColourNet, and so the names of run 1; what matters for its classes, only a run of "
        "its own can tell (neuronexplain build).\n"
    )
    (explanation,) = json.loads(said)
    assert explanation["target"]["label"] == "rose"
    assert {shown["label"] for shown in explanation["classes"]} == set(labels)
    opened = open_network_of(kept, network=f"{place / 'heads.py'}:{head}")
    explainer = Explainer.from_store(opened, store)
    assert explainer.network.classes == tuple(labels)
    assert not explainer.excesses
    assert explainer.names == Explainer.from_store(colour_network(), store).names
    assert len(Explainer.from_store(colour_network(), store).excesses) == len(CLASSES)


def test_constant_alphas_are_those_of_the_head_that_is_explained(store):
    """That of the run is not linear, since it squares what it pools."""
    module = ColourNet()
    module.square = nn.Identity()
    assert not Explainer.from_store(colour_network(), store).constant_alpha
    assert Explainer.from_store(classifier(module=module), store).constant_alpha


def test_a_module_has_its_own_classes(store):
    module = classifier().module
    assert Explainer.from_store(module, store).network.classes == ("class 0", "class 1", "class 2")
    assert Explainer.from_store(colour_network().module, store).network.classes == CLASSES


def test_the_layer_is_found_where_another_network_calls_it_otherwise(place, store):
    opened = open_network_of(store.runs()[0], network=f"{place / 'heads.py'}:at_another_layer")
    assert opened.layer.name == "trunk.rectify"
    assert CaptionExplainer.from_store(opened, store).explain(colour_square("red")).caption == "a red square"


def test_another_trunk_is_refused(place, store, run):
    changed = Captioner()
    with torch.no_grad():
        changed.trunk.detect.bias[0] += 1e-3
    for network in (captioner(changed), captioner().at("trunk.detect")):
        with pytest.raises(RunNotFoundError, match="the weights differ"):
            CaptionExplainer.from_store(network, store)
        with pytest.raises(RunNotFoundError, match="the weights differ"):
            CaptionExplainer.from_store(network, store, run=1)
    status, said, error = run(
        *("explain", place / "red.png", "--db", place / "names.db", "--network", f"{place / 'heads.py'}:other_trunk")
    )
    assert (status, said) == (2, "")
    assert "the weights differ" in error
    assert len(error.splitlines()) == 1


def test_photographs_that_are_prepared_otherwise_are_refused(store):
    network = replace(captioner(), preprocessing=replace(PLAIN, std=(0.5, 0.5, 0.5)))
    for run in (None, 1):
        with pytest.raises(RunNotFoundError, match=r"another way \(std \[1.0, 1.0, 1.0\], and not \[0.5, 0.5, 0.5\]\)"):
            Explainer.from_store(network, store, run=run)


def test_a_networks_own_run_comes_before_a_newer_one_of_its_body(tmp_path):
    other = classifier()
    with NameStore.create(tmp_path / "names.db") as names:
        own, newer, at_last = (
            build(network, colour_concepts(), names, draws=0).run for network in (colour_network(), other, captioner())
        )
        assert names.names(own) == names.names(newer) == names.names(at_last)
        assert run_of(colour_network(), names) == own
        assert run_of(other, names) == newer
        assert run_of(answerer(), names) == at_last
        assert not build(other, colour_concepts(), names, draws=0).is_new
        explainer = Explainer.from_store(other.module, names)
        assert explainer.network.fingerprint == other.fingerprint


def test_two_answerers_with_one_question_are_two_runs(tmp_path):
    """What matters for an answer is of the network that gives it, and of the question."""
    other = Answerer()
    with torch.no_grad():
        other.colours.copy_(other.colours.flip(0))
    one, two = answerer().asked(QUESTIONS[0]), answerer(other).asked(QUESTIONS[0])
    with NameStore.create(tmp_path / "names.db") as names:
        runs = [build(network, colour_concepts(), names, draws=20) for network in (one, two, one)]
        assert [built.is_new for built in runs] == [True, True, False]
        first, second, _ = (names.concepts_of(built.run, ANSWERS.index("red"))[0].concept.spoken for built in runs)
        assert (first, second) == ("red", COLOURS[-1])
        assert Explainer.from_store(one, names).excesses
        assert not Explainer.from_store(answerer().asked(QUESTIONS[1]), names).excesses
        assert not Explainer.from_store(answerer(), names).excesses


def test_a_database_from_before_is_asked_by_the_whole_network(tmp_path):
    old = shutil.copy(HERE / "made_before" / "names.db", tmp_path / "names.db")
    with NameStore.open(old) as names:
        (run,) = names.runs()
        assert run.body == ""
        assert run_of(colour_network(), names) == run
        with pytest.raises(RunNotFoundError, match="has no run of the network with fingerprint"):
            run_of(captioner(), names)
        with pytest.raises(RunNotFoundError, match="the weights differ"):
            Explainer.from_store(classifier(), names)
    with NameStore.create(old) as names:
        build(colour_network(), colour_concepts(), names, draws=0)
        assert run_of(captioner(), names).id == 2
        assert names.runs()[0] == run


def test_a_run_of_schema_4_stays_the_run_of_its_network(tmp_path):
    """Its digest is that of today, and its answers do not name a body."""
    with NameStore.create(tmp_path / "today.db") as names:
        today = names.whole(build(colour_network(), colour_concepts(), names, draws=0).run)
    before = replace(today.run, key=replace(today.run.key, schema=4), body="")
    with NameStore.create(tmp_path / "names.db") as names:
        kept = names.publish(before, today.dissection, today.importances, today.pictures)
        assert kept.key.digest == today.run.key.digest
        assert not build(colour_network(), colour_concepts(), names, draws=0).is_new
        assert [adopted.is_new for adopted in names.adopt([today])] == [False]
        assert names.runs() == [kept]


def test_runs_are_shared_with_their_bodies(store, tmp_path):
    build(captioner(), colour_concepts(), tmp_path / "captioner.db", draws=20)
    with NameStore.open(tmp_path / "captioner.db") as written:
        write_json(tmp_path / "names.json", [*store.whole_runs(), *written.whole_runs()])
    with NameStore.create(tmp_path / "shared.db") as shared:
        assert [adopted.is_new for adopted in shared.adopt(read_json(tmp_path / "names.json")[0])] == [True, True]
        assert {run.body for run in shared.runs()} == {captioner().fingerprint}
        assert [bool(run.classes) for run in shared.runs()] == [True, False]
        assert CaptionExplainer.from_store(captioner(), shared, run=1).explain(colour_square("red")).words


def test_the_application_explains_captions_with_a_classifiers_names(store):
    """It knows what can be asked once the network is open, and links no word to a class of the run."""
    app = names_app(store, NetworkPlace(CAPTIONER))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        form = client.get("/").text
        assert 'id="caption"' in form
        assert "<option>fire</option>" not in form
        answer = asked(client, caption="a red square")
        assert [word["explanation"] is not None for word in answer["explanations"][0]["words"]] == [False, True, False]
        page = client.get(answer["page"]).text
        assert "because its neuron for red (" in json.dumps(answer)
        assert "/classes/" not in page.partition('class="after"')[2]
        assert 'id="question"' not in client.get("/").text
        assert "Captioner has no classes" in asked(client, target="fire")["detail"]
    with TestClient(names_app(store), base_url="http://127.0.0.1") as client:
        assert "<option>fire</option>" in client.get("/").text
        page = client.get(asked(client)["page"]).text
        assert "/runs/1/classes/0" in page.partition('class="after"')[2]


def asked(client, **fields):
    photograph = io.BytesIO()
    colour_square("red").save(photograph, "PNG")
    files = {"photograph": ("red.png", photograph.getvalue())}
    response = client.post("/api/explanations", files=files, data={"run": 1, **fields})
    if response.status_code != 202:
        return response.json()
    while (job := client.get(response.headers["location"]).json())["state"] not in {"done", "failed"}:
        time.sleep(0.01)
    return job


class Preparing(nn.Module):
    """Colours, once the image is prepared in code of its own; a head may look at the image as well."""

    def __init__(self, prepare, beside=None):
        super().__init__()
        self.trunk, self.prepare, self.beside = ColourNet(), prepare, beside

    def forward(self, images):
        offset = 0 if self.beside is None else self.beside(images)
        return self.trunk(self.prepare(images)) + offset


def body_of(*parts):
    return Network.from_module(
        Preparing(*parts).eval(), layer="trunk.rectify", preprocessing=PLAIN, classes=CLASSES
    ).body_fingerprint


def test_what_is_done_to_the_image_before_the_layer_is_of_the_body_and_what_is_done_beside_it_is_not():
    plain = body_of(lambda images: images)
    beside = [
        lambda images: images[:, :1].mean((1, 2, 3))[:, None],
        lambda images: (2 * images).mean((1, 2, 3))[:, None],
    ]
    assert {body_of(lambda images: images, look) for look in beside} == {plain}
    prepared = [
        lambda images: images[:, [2, 1, 0]],
        lambda images: images.flip(3),
        lambda images: images[:, :, ::2].repeat_interleave(2, 2),
        lambda images: images.transpose(2, 3),
        lambda images: images * 0.5,
    ]
    assert len({plain, *map(body_of, prepared)}) == 1 + len(prepared)
