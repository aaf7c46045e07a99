"""A database, exports and unfinished builds that an earlier version made are read and resumed.

``made_before`` was written by the version before the modules were given rooms, from 40 coloured squares, in batches of
4, at a quantile of 0.1. Builds were stopped after 24 photographs, after comparing 24 of them with concepts, and after
12 images of classes.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from store_cases import without_shown
from worlds import COLOURS, colour_concepts, colour_network, colour_square

from db import NameStore
from db.exchange.plain_files import read_folder, read_json
from dissection.dissect import dissect
from dissection.execution.settings import Execution
from neuronexplain.building import build
from neuronexplain.class_images import ClassImages
from neuronexplain.explaining import explain

MADE = Path(__file__).parent / "made_before"
TORCH = "2.14.1+cu130"
"""The version that unfinished builds were computed with: those of another are not resumed."""

CONCEPTS = colour_concepts(40)
BATCH, QUANTILE = 4, 0.1


@pytest.fixture
def database(tmp_path):
    return shutil.copy(MADE / "names.db", tmp_path / "names.db")


DIGEST = "feeb5631a3e4dba78b87f4aaac19f17c202e43110d98cd622bbfb5fd74e119a2"


def test_a_database_is_read_and_explains(database):
    before = database.read_bytes()
    with NameStore.open(database) as store:
        (run,) = store.runs()
        assert (run.key.digest, run.key.schema, run.draws, run.licence) == (DIGEST, 2, 0, "")
        dissection = store.dissection(run)
        assert store.class_images(run) == {0: 10, 1: 10, 2: 10, 3: 10}
        explanation = explain(colour_square("red"), colour_network(), store)
    assert dissection == without_shown(dissect(colour_network(), CONCEPTS, quantile=QUANTILE))
    assert (dissection.draws, {unit.evidence for unit in dissection.units}) == (0, {None})
    assert explanation.sentence.startswith("The network says fire")
    assert "its neuron for red responds" in explanation.sentence
    assert database.read_bytes() == before


def test_a_new_build_makes_a_second_run_with_the_same_counts(database):
    with NameStore.open(database) as store:
        (old,) = store.runs()
        whole = store.whole(old)
    with NameStore.create(database) as store:
        builds = [build(colour_network(), CONCEPTS, store, quantile=QUANTILE, draws=draws) for draws in (0, 9)]
        assert [built.is_new for built in builds] == [True, True]
        assert [run.key.schema for run in store.runs()] == [2, 6, 6]
        assert store.find(old.key) == old
        again = store.whole(old)
        plain, proven = (store.whole(built.run) for built in builds)
        assert not build(colour_network(), CONCEPTS, store, quantile=QUANTILE, draws=9).is_new
    assert plain.dissection == without_evidence(proven.dissection)
    assert again.dissection == without_shown(plain.dissection) == whole.dissection
    assert plain.dissection.units[0].exemplars[0].shows == "red"
    assert again.pictures == plain.pictures == proven.pictures == whole.pictures
    for other in (again, plain, proven):
        assert [one.alphas.tolist() for one in other.importances] == [one.alphas.tolist() for one in whole.importances]
    assert {unit.evidence is not None for unit in proven.dissection.units} == {True}


def without_evidence(dissection):
    return replace(
        dissection,
        draws=0,
        units=tuple(
            replace(unit, evidence=None, overlaps=tuple(replace(one, truth=None) for one in unit.overlaps))
            for unit in dissection.units
        ),
    )


@pytest.mark.parametrize(("file", "read"), [("names.json", read_json), ("exported", read_folder)])
def test_an_export_is_read_and_says_what_the_database_says(file, read, database):
    runs, licence = read(MADE / file)
    assert licence == "CC0"
    with NameStore.create(database) as store:
        assert [adopted.is_new for adopted in store.adopt(runs)] == [False]


def content(store, run):
    importances = [store.importance(run, index) for index in store.class_images(run)]
    numbers = [(one.index, one.images, one.alphas.tolist(), one.contributions.tolist()) for one in importances]
    return run.key, store.dissection(run), numbers


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Squares by colour, as bitmaps: the same bytes everywhere."""
    root = tmp_path_factory.mktemp("classes")
    images = []
    for index, colour in enumerate(COLOURS):
        for number in range(6):
            images.append((root / f"{colour}-{number}.bmp", index))
            colour_square(colour, at=(number, 2 * number)).save(images[-1][0])
    return ClassImages(root, tuple(images))


@pytest.mark.parametrize(
    ("stopped", "passes"), [("looking", (40 - 20) // BATCH), ("comparing", 0), ("class-images", (24 - 8) // BATCH)]
)
def test_an_unfinished_build_is_resumed(stopped, passes, classes, tmp_path, monkeypatch):
    class_images = classes if stopped == "class-images" else None
    shutil.copytree(MADE / "unfinished" / stopped, tmp_path / "unfinished")
    monkeypatch.setattr(torch, "__version__", TORCH)
    network, seen = colour_network(), []
    network.module.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))

    def built(database, network, **execution):
        with NameStore.create(tmp_path / database) as store:
            run = build(
                network,
                CONCEPTS,
                store,
                quantile=QUANTILE,
                class_images=class_images,
                draws=0,
                execution=Execution(BATCH, **execution),
            ).run
            return content(store, run)

    resumed = built("resumed.db", network, scratch=tmp_path / "unfinished")
    assert seen.count(BATCH) == passes
    assert not list((tmp_path / "unfinished").iterdir())
    assert resumed == built("anew.db", colour_network())
