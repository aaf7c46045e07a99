"""``export`` and ``import`` as a person uses them, with built runs and with files of the wrong kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file
from test_netdissect import rows, write
from worlds import CLASSES, colour_net, colour_square, write_colour_folder

from db import NameStore
from db.merging import difference
from dissection.concepts.layouts import open_concepts
from dissection.networks.opening import open_network
from neuronexplain import build

NETWORK = f"{Path(__file__).parent / 'worlds.py'}:colour_net"
ABOUT = ("--network", NETWORK, "--layer", "rectify", "--concepts", "broden")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Two runs, of the network's own weights in a file, and a photograph."""
    root = tmp_path_factory.mktemp("world")
    write_colour_folder(root / "squares")
    save_file(colour_net().state_dict(), root / "w.safetensors")
    colour_square("red").save(root / "red.png")
    changes = {"mean": (0, 0, 0), "std": (1, 1, 1), "input_size": 32, "resize": (32, 32)}
    network = open_network(NETWORK, weights=root / "w.safetensors", classes=CLASSES, **changes)
    with NameStore.create(root / "n.db") as store:
        build(network, open_concepts(root / "squares"), store)
        build(network, open_concepts(root / "squares"), store, quantile=0.02)
    return root


def one_line(status: int, error: str) -> str:
    assert status == 2
    last = error.strip().splitlines()[-1]
    assert last.startswith("neuronexplain: ")
    assert "Traceback" not in error
    return last


@pytest.mark.parametrize("form", ["names.json", "names", "names.db"])
def test_what_was_shared_explains_as_before(world, run, tmp_path, form):
    shared = tmp_path / form
    if form == "names.db":
        shared.write_bytes((world / "n.db").read_bytes())
    else:
        status, out, _ = run("export", "--db", world / "n.db", "--licence", "CC0", shared)
        assert (status, out) == (0, f"2 runs written to {shared}.\n")
    status, out, err = run("import", "--db", tmp_path / "mine.db", shared)
    assert (status, out.count("Stored as run")) == (0, 2)
    assert ("licence: CC0" in err) == (form != "names.db")
    status, out, _ = run("import", "--db", tmp_path / "mine.db", shared, world / "n.db")
    assert (status, out.count("Already stored as run")) == (0, 4)
    with NameStore.open(world / "n.db") as theirs, NameStore.open(tmp_path / "mine.db") as mine:
        for one, other in zip(theirs.runs(), mine.runs(), strict=True):
            assert (one.key, one.created, one.evidence) == (other.key, other.created, other.evidence)
            assert difference(theirs.whole(one), mine.whole(other)) is None
            kept = theirs.whole(one).pictures
            assert kept
            assert mine.whole(other).pictures == ({} if form == "names.json" else kept)
    words = ("explain", world / "red.png", "--run", 2, "--network", NETWORK, "--weights", world / "w.safetensors")
    explained = [run(*words, "--db", db) for db in (tmp_path / "mine.db", world / "n.db")]
    assert explained[0] == explained[1]
    assert "The network says fire" in explained[0][1]


def test_the_folder_of_the_weights_stays_here(world, run, tmp_path):
    run("export", "--db", world / "n.db", tmp_path / "names.json")
    text = (tmp_path / "names.json").read_text()
    assert str(world) not in text
    assert json.loads(text)["runs"][0]["source"] == {"network": "worlds.py:colour_net", "weights": "w.safetensors"}


@pytest.mark.parametrize("form", ["json", "folder", "database"])
def test_shared_names_do_not_bring_code_to_run(world, run, tmp_path, form, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("from pathlib import Path\ndef make():\n    Path('ran').touch()\n")
    source = {"network": "evil.py:make", "shared": False}
    with NameStore.open(world / "n.db") as built, NameStore.create("theirs.db") as theirs:
        theirs.publish_all([replace(one, run=replace(one.run, source=source)) for one in built.whole_runs()])
    given = {"json": "names.json", "folder": "names", "database": "theirs.db"}[form]
    if form != "database":
        assert run("export", "--db", "theirs.db", given)[0] == 0
    assert run("import", "--db", "mine.db", given)[0] == 0
    status, _, err = run("explain", world / "red.png", "--run", 1, "--db", "mine.db")
    assert "'evil.py:make' is code, which is not run on trust; name the network with --network" in one_line(status, err)
    assert not (tmp_path / "ran").exists()
    status, _, err = run("explain", world / "red.png", "--run", 1, "--db", "theirs.db")
    assert "run 1 is not known to be built here, and 'evil.py:make' is code" in one_line(status, err)
    assert not (tmp_path / "ran").exists()


def test_one_run_may_be_chosen_and_csv_needs_one(world, run, tmp_path):
    status, _, _ = run("export", "--db", world / "n.db", "--run", 2, tmp_path / "names.json")
    (stored,) = json.loads((tmp_path / "names.json").read_text())["runs"]
    assert (status, stored["key"]["quantile"]) == (0, 0.02)
    status, _, err = run("export", "--db", world / "n.db", tmp_path / "names.csv")
    assert "has 2 runs; name one with --run" in one_line(status, err)
    assert not (tmp_path / "names.csv").exists()
    assert run("export", "--db", world / "n.db", "--run", 1, tmp_path / "names.csv")[0] == 0
    assert len((tmp_path / "names.csv").read_text().splitlines()) == 5
    status, _, err = run("import", "--db", tmp_path / "new.db", tmp_path / "names.csv")
    assert "is a table for people" in one_line(status, err)
    assert not (tmp_path / "new.db").exists()


def test_the_licence_of_the_concept_data_is_written_unless_another_is_given(world, run, tmp_path):
    with NameStore.create(tmp_path / "n.db") as store, NameStore.open(world / "n.db") as built:
        whole_runs = [
            replace(whole, run=replace(whole.run, licence="CC BY 4.0,\nby Ada")) for whole in built.whole_runs()
        ]
        store.adopt(whole_runs)
    for words, licence in (([], "CC BY 4.0,\nby Ada"), (["--licence", "CC0"], "CC0")):
        assert run("export", "--db", tmp_path / "n.db", *words, tmp_path / "names.json")[0] == 0
        written = json.loads((tmp_path / "names.json").read_text())
        assert written["licence"] == licence
        assert {stored["licence"] for stored in written["runs"]} == {"CC BY 4.0,\nby Ada"}
    run("export", "--db", world / "n.db", tmp_path / "names.json")
    assert json.loads((tmp_path / "names.json").read_text())["licence"] is None


def test_all_files_or_none(world, run, tmp_path):
    run("export", "--db", world / "n.db", tmp_path / "good.json")
    stored = json.loads((tmp_path / "good.json").read_text())
    stored["runs"][1]["units"][0]["threshold"] += 1 / 8
    (tmp_path / "bad.json").write_text(json.dumps(stored))
    status, out, err = run("import", "--db", tmp_path / "new.db", tmp_path / "good.json", tmp_path / "bad.json")
    told = one_line(status, err)
    assert "bad.json, run" in told
    assert "differ in the threshold of unit 0" in told
    assert out == ""
    assert not (tmp_path / "new.db").exists()


def test_a_result_of_netdissect_answers_what_it_can(world, run, tmp_path):
    result = write(tmp_path / "tally.csv", rows())
    words = ("import", "--db", tmp_path / "n.db", result)
    status, _, err = run(*words, "--network", "vgg16")
    assert "give --network, --layer and --concepts" in one_line(status, err)
    status, _, err = run(*words, *ABOUT, "--weights", world / "w.safetensors")
    assert "has 7 units, layer rectify of colour_net has 4" in one_line(status, err)
    assert not (tmp_path / "n.db").exists()
    status, out, _ = run(*words, *ABOUT)
    assert (status, out.startswith("Stored as run 1: ")) == (0, True)
    assert "Already stored as run 1" in run(*words, *ABOUT)[1]
    status, out, _ = run("units", "--db", tmp_path / "n.db", "--json")
    listed = json.loads(out)
    assert (status, len(listed)) == (0, 7)
    assert {row["threshold"] for row in listed} == {row["images"] for row in listed} == {None}
    (held,) = json.loads(run("runs", "--db", tmp_path / "n.db", "--json")[1])
    assert (held["images"], held["fingerprint"].startswith("imported: ")) == (None, True)
    for asked in (("explain", world / "red.png"), ("concepts", "of", "fire"), ("classes", "for", "sky")):
        status, _, err = run(*asked, "--db", tmp_path / "n.db")
        assert "was imported from a NetDissect result" in one_line(status, err)


def test_a_result_with_weights_is_kept_by_their_fingerprint(world, run, tmp_path):
    four = [row for row in rows() if row["unit"] <= 4]
    result = write(tmp_path / "tally.csv", four)
    words = ("--db", tmp_path / "n.db", result, *ABOUT, "--weights", world / "w.safetensors")
    assert run("import", *words)[0] == 0
    with NameStore.open(tmp_path / "n.db") as store, NameStore.open(world / "n.db") as built:
        (imported,) = store.runs()
        assert imported.key.network == f"imported: {built.runs()[0].key.network}"
        assert (imported.layer.name, imported.layer.units) == ("rectify", 4)
    run("import", "--db", tmp_path / "n.db", world / "n.db")
    given = ("--network", NETWORK, "--weights", world / "w.safetensors")
    status, out, _ = run("explain", world / "red.png", "--run", 2, "--db", tmp_path / "n.db", *given)
    assert (status, "The network says fire" in out) == (0, True)


@pytest.mark.parametrize(("name", "content"), [("x.json", "{}"), ("x.txt", "hello"), ("x.db", ""), ("no.json", None)])
def test_what_cannot_be_imported_is_said_in_one_line(run, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    status, _, err = run("import", "--db", tmp_path / "n.db", tmp_path / name)
    assert name in one_line(status, err)
    assert not (tmp_path / "n.db").exists()
