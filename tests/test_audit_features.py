"""Audits of a network that is read by features: they say "feature", and find a dictionary that has moved."""

import json
import re
from functools import partial
from html import unescape

import pytest
import torch
from starlette.testclient import TestClient
from two_runs import WORLDS, squares_network
from worlds import CLASSES, COLOURS, colour_concepts, colour_square

from db import NameStore
from dissection.errors import NetworkError, NeuronExplainError
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.dictionaries.folders import read_dictionary
from dissection.networks.dictionaries.formats.sae_lens import write_sae_lens
from neuronexplain.building import build
from neuronexplain.class_images import open_class_images
from neuronexplain.cli.evaluate.inputs import NetworkOptions
from neuronexplain.cli.groups import NetworkSettings
from neuronexplain.web.app import names_app
from neuronexplain.web.catalogue import Catalogue
from neuronexplain.web.explaining import Explaining, NetworkPlace
from neuronexplain.web.uploads import Upload


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Names of four features, which are the four units, whose dictionary has moved; photographs; groups; rules."""
    folder = tmp_path_factory.mktemp("features")
    for name, colour in zip(CLASSES, COLOURS, strict=True):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(10):
            colour_square(colour, at=(number, 2), side=12).save(folder / "photos" / name / f"{number}.png")
    colour_square("green").save(folder / "photos" / "fire" / "wrong.png")
    lines = [f"fire/{number}.png,{'dusk' if number % 2 else 'dawn'}" for number in range(10)]
    (folder / "groups.csv").write_text("\n".join(["image,group", *lines]))
    (folder / "rules.toml").write_text('[[rule]]\nclass = "fire"\nconcept = "red"\nmust_lean = true\n')
    units = torch.eye(4)
    write_sae_lens(Dictionary(units, torch.zeros(4), units, torch.zeros(4), layer="rectify"), folder / "learned")
    network = with_dictionary(squares_network(), read_dictionary(folder / "learned"))
    evidence = open_class_images(folder / "photos", CLASSES)
    with NameStore.create(folder / "names.db") as store:
        build(network, colour_concepts(), store, quantile=0.05, draws=20, class_images=evidence)
    (folder / "learned").rename(folder / "moved")
    return folder


def words_of(page: str) -> str:
    """What a page says, without its style."""
    return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL))


AUDITS = {
    "mistakes": ["{world}/photos", "--db", "{world}/names.db"],
    "groups": ["{world}/photos", "--groups", "{world}/groups.csv", "--db", "{world}/names.db"],
    "effect": ["{world}/photos", "--class", "fire", "--concept", "red", "--db", "{world}/names.db"],
    "rules": ["{world}/rules.toml", "--photos", "{world}/photos", "--db", "{world}/names.db"],
    "compare": ["{world}/names.db", "{world}/names.db", "{world}/photos"],
}


@pytest.mark.parametrize("audit", AUDITS)
def test_an_audit_speaks_of_features(audit, world, tmp_path, run):
    words = ["audit", audit, *(word.format(world=world) for word in AUDITS[audit])]
    status, _, error = run(*words)
    assert (status, error.count("\n")) == (2, 1)
    assert "learned is no folder" in error
    moved = ["--dictionary", world / "moved"]
    moved += ["--dictionary-2", world / "moved"] if audit == "compare" else []
    status, told, error = run(*words, *moved, "--out", tmp_path / "out")
    assert status == 0, error
    page = words_of((tmp_path / "out" / "index.html").read_text())
    for said in (told, page):
        assert not re.search(r"\bneurons?\b", said, re.IGNORECASE), said
    assert re.search(r"\bfeatures?\b", page, re.IGNORECASE)


def test_a_mistake_is_told_by_features(world, run):
    status, told, error = run(
        "audit", "mistakes", world / "photos", "--db", world / "names.db", "--dictionary", world / "moved", "--json"
    )
    assert status == 0, error
    (mistake,) = json.loads(told)["mistakes"]
    assert mistake["noun"] == "feature"
    assert mistake["sentence"].startswith("Its feature for green (")


def test_listings_speak_of_features(world, tmp_path, run):
    for command in ("runs", "units", "concepts of fire", "classes for red"):
        status, told, error = run(*command.split(), "--db", world / "names.db")
        assert status == 0, error
        assert not re.search(r"\bneurons?\b", told), told
    status, _, error = run("export", tmp_path / "shared", "--db", world / "names.db")
    assert status == 0, error
    readme = (tmp_path / "shared" / "README.md").read_text()
    assert readme.startswith("# Names of features")
    assert not re.search(r"\bneurons?\b", readme)


def test_features_beside_neurons_are_units(world, tmp_path, run):
    with NameStore.create(tmp_path / "neurons.db") as store:
        build(squares_network(), colour_concepts(), store, quantile=0.05, draws=20)
    status, told, error = run("audit", "compare", tmp_path / "neurons.db", world / "names.db")
    assert status == 0, error
    assert "4 of 4 units are more like the unit of their number" in " ".join(told.split())


def test_a_dictionary_that_has_moved_is_named_wherever_a_database_brings_its_network(world):
    from_database = partial(NetworkOptions, db=str(world / "names.db"), settings=NetworkSettings())
    assert from_database(dictionary=world / "moved").open().layer.noun == "feature"
    with pytest.raises(NetworkError, match="learned is no folder"):
        from_database().open()
    with pytest.raises(NeuronExplainError, match="--dictionary is for a database that names features"):
        NetworkOptions(network="scenes", dictionary=world / "moved", settings=NetworkSettings()).open()


def test_the_app_finds_a_dictionary_that_has_moved_and_finds_features(world):
    picture = (world / "photos" / "fire" / "0.png").read_bytes()
    place = NetworkPlace(f"{WORLDS}:colour_net", dictionary=world / "moved")
    with NameStore.open(world / "names.db") as store:
        seen = Explaining(Catalogue(store), place).see(
            store.newest(), 0, Upload.checked("fire.png", picture), lambda *_: None
        )
        assert seen.peak > 0
        with TestClient(names_app(store, place), base_url="http://127.0.0.1") as client:
            found = words_of(client.get("/search?q=2").text)
    assert "Features" in found
    assert "Feature 2" in found
    assert "Neuron" not in found.replace("NeuronExplain", "")
