"""Code is run if this user named it, or built the run here; a database cannot say so itself."""

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from worlds import CLASSES, colour_net, colour_square, write_colour_folder

from db import NameStore
from dissection.concepts.layouts import open_concepts
from dissection.errors import NetworkError
from dissection.networks.opening import open_network, runs_code
from neuronexplain import Explainer, build, open_network_of

SETTINGS = {"mean": (0, 0, 0), "std": (1, 1, 1), "input_size": 32, "resize": (32, 32)}
CODE = """
from pathlib import Path
from worlds import colour_net

def make():
    Path("ran").touch()
    return colour_net()
"""


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def factory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    (tmp_path / "net.py").write_text(CODE)
    write_colour_folder(tmp_path / "squares")
    colour_square("red").save(tmp_path / "red.png")
    return "net.py:make"


@pytest.fixture
def program(tmp_path):
    shapes = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(colour_net().eval(), (torch.rand(2, 3, 32, 32),), dynamic_shapes=shapes)
    torch.export.save(exported, tmp_path / "net.pt2")
    return "net.pt2"


def built(network, database="names.db"):
    opened = open_network(network, classes=CLASSES, **SETTINGS)
    with NameStore.create(database) as store:
        run = build(opened, open_concepts(Path("squares")), store, draws=0).run
    Path("ran").unlink(missing_ok=True)
    return run


def explain(run, database, *words):
    status, out, err = run("explain", "red.png", "--db", database, *words)
    if status:
        assert status == 2
        assert err.count("\n") == 1
    return status, out, err


REFUSED = "is code, which is not run on trust; name the network with --network"


def test_a_run_that_was_built_here_opens_its_factory(run, factory, state):
    built(factory)
    assert explain(run, "names.db")[0] == 0
    assert Path("ran").exists()
    shutil.copy("names.db", "moved.db")
    assert explain(run, "moved.db")[0] == 0
    (mark,) = (state / "neuronexplain" / "built").iterdir()
    assert mark.stat().st_size == 0
    assert stat.S_IMODE(mark.parent.stat().st_mode) == 0o700


def test_elsewhere_the_same_database_runs_nothing_unless_the_network_is_named(run, factory, state):
    kept = built(factory)
    shutil.rmtree(state)
    status, _, err = explain(run, "names.db")
    assert (status, REFUSED in err) == (2, True)
    with pytest.raises(NetworkError, match=REFUSED):
        open_network_of(kept)
    assert not Path("ran").exists()
    assert explain(run, "names.db", "--network", factory)[0] == 0
    assert Path("ran").exists()
    Path("ran").unlink()
    assert (explain(run, "names.db")[0], Path("ran").exists()) == (2, False)  # it was named for that once
    built(factory)  # there is nothing to do, but now it is known
    assert explain(run, "names.db")[0] == 0


def test_a_stranger_s_run_of_the_same_key_is_not_ours(run, factory, state):
    kept = built(factory)
    shutil.rmtree(state)
    Path("evil.py").write_text(CODE)
    for source in ({"network": f"{Path('evil.py').resolve()}:make", "weights": None}, {"network": "evil:make"}):
        with NameStore.open("names.db") as store, NameStore.create("theirs.db") as theirs:
            whole = store.whole(kept)
            theirs.publish_all([replace(whole, run=replace(whole.run, source=source))])
        built(factory, "theirs.db")
        assert not state.exists()
        status, _, err = explain(run, "theirs.db")
        assert (status, REFUSED in err, Path("ran").exists()) == (2, True, False)
        Path("theirs.db").unlink()


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of its own parts
def test_an_exported_program_is_code_too(run, factory, program, state):
    built(program)
    assert explain(run, "names.db")[0] == 0
    shutil.rmtree(state)
    status, _, err = explain(run, "names.db")
    assert (status, f"net.pt2' {REFUSED}" in err) == (2, True)
    assert explain(run, "names.db", "--network", program)[0] == 0
    run("export", "--db", "names.db", "names.json")
    run("import", "--db", "mine.db", "names.json")
    assert REFUSED in explain(run, "mine.db")[2]


def test_a_measurement_runs_no_code_of_a_database_either(run, factory, state):
    built(factory)
    shutil.rmtree(state)
    for words in (["pointing", "--data", "squares"], ["units", "--data", "."], ["words", "--concepts", "squares"]):
        status, _, err = run("evaluate", *words, "--db", "names.db", "--out", "figures")
        assert (status, REFUSED in err) == (2, True)
        status, _, err = run("evaluate", *words, "--db", "names.db", "--out", "figures", "--network", factory)
        assert REFUSED not in err
        assert Path("ran").exists()
        Path("ran").unlink()


def test_an_explainer_takes_a_network_that_its_user_opened(factory, state):
    kept = built(factory)
    shutil.rmtree(state)
    network = open_network(factory, classes=CLASSES, **SETTINGS)
    with NameStore.open("names.db") as store:
        assert Explainer.from_store(network, store, run=kept).units


@pytest.mark.parametrize("home", ["", "/proc/no/such/folder"])
def test_without_a_folder_to_write_to_a_build_ends_well(run, factory, monkeypatch, home):
    monkeypatch.setenv("XDG_STATE_HOME", home)
    monkeypatch.setenv("HOME", "/proc/no/such/folder")
    built(factory)
    assert REFUSED in explain(run, "names.db")[2]


def test_a_mark_that_is_relative_is_anybody_s(run, factory, monkeypatch):
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: Path("state"))
    built(factory)
    assert not Path("state").exists()
    assert REFUSED in explain(run, "names.db")[2]


def test_only_factories_and_programs_are_code():
    assert not any(map(runs_code, ("scenes", "vgg16", "places365/vgg16", "timm/resnet18", "hf/x/y")))
    assert all(map(runs_code, ("a.py:make", "a.b:make", "x.pt2", "timm/hf-hub:x/y", "/x/y.py:z")))
