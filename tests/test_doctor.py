"""``neuronexplain doctor``: what a report of a bug needs, and nothing of its author's folders, name or servers."""

import json
import shutil
import sqlite3
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import store_cases as cases
import torch
from sharing_cases import composed, proven, publish, small

from db import NameStore
from db.records import SCHEMA
from dissection.execution import kernels
from neuronexplain.diagnosis import software
from neuronexplain.diagnosis.places import name_only, without_places
from neuronexplain.diagnosis.software import software_problems

MADE_BEFORE = Path(__file__).parent / "made_before" / "names.db"
SECRETS = ("secret", "lovelace", "hunter2", "5432")


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory):
    """A home folder whose path gives much away, with files that are no databases of ours."""
    folder = tmp_path_factory.mktemp("doctor") / "top secret; 'x'" / "lovelace"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("notes " * 500)
    NameStore.create(folder / "new.db").close()
    with sqlite3.connect(folder / "new.db") as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    with NameStore.create(folder / "damaged.db") as store:
        publish(store, small())
    with sqlite3.connect(folder / "damaged.db") as database:
        database.execute("UPDATE runs SET source = '\"/home/lovelace/top secret/net.py\"'")
    return folder


@pytest.fixture
def home(kept_home, monkeypatch):
    monkeypatch.setenv("HOME", str(kept_home))
    return kept_home


@pytest.fixture(scope="module")
def kept_names(kept_home):
    """A database of runs whose every text gives away what it can."""
    home, path = kept_home, kept_home / "secret nets" / "names.db"
    path.parent.mkdir()
    source = {"network": f"{home}/secret nets/net.py:make", "weights": f"{home}/secret/w.pt", "dictionary": str(home)}
    foreign = {"network": "hf/lovelace/secret/captioner", "weights": r"C:\Users\Lovelace\secret\w.safetensors"}
    labelled = "lovelace (labels by hf/lovelace/secret/net, not checked)"
    server = "postgresql://lovelace:hunter2@secret:5432/secret"
    cases = (
        (small(schema=2), str(home), "lovelace", {}),
        (proven(), f"{home}/secret nets/net.py:make", f"{home}/secret/masks", source),
        (composed(), r"C:\Users\Lovelace\secret\net", labelled, foreign),
        (small(), server, "../secret/masks", {"network": "timm/vgg16"}),
    )
    with NameStore.create(path) as store:
        for number, (whole, network, concepts, of) in enumerate(cases):
            run = replace(whole.run, key=replace(whole.run.key, network=f"{number:064}"), network=network)
            licence = "by lovelace" if number else ""
            run = replace(run, concepts=concepts, source=of, evidence=f"{home}/secret", licence=licence)
            publish(store, replace(whole, run=run))
    (path.with_name("names.db.unfinished") / "secret").mkdir(parents=True)
    (path.with_name("names.db.unfinished") / "secret" / "x.state").write_bytes(bytes(3_000_000))
    return path


@pytest.fixture
def names(home, kept_names):
    return kept_names


def told_of(text):
    """The secrets in a text."""
    return [secret for secret in SECRETS if secret in text.lower()]


def test_everything_a_report_needs_and_no_secret_in_any_field(names, run):
    status, said, error = run("doctor", "--db", names, "--json")
    assert (status, told_of(said), told_of(error)) == (0, [], [])
    answer = json.loads(said)
    assert answer["software"]["version"] == metadata.version("neuronexplain")
    for package in ("torch", "torchvision", "numpy", "pillow", "sqlalchemy", "pandas", "scipy", "numba"):
        assert answer["software"]["packages"][package] == metadata.version(package)
    assert {"postgres", "web", "coco", "timm", "hf"} <= set(answer["software"]["extras"])
    assert answer["machine"]["devices"][0]["device"] == "cpu"
    assert answer["machine"]["devices"][0]["memory"] > 2**28
    database = answer["database"]
    assert (database["name"], database["schema"], len(database["runs"])) == ("names.db", SCHEMA, 4)
    kept = ("network", "concepts", "schema", "intact", "evidence", "importances", "pictures", "formulas")
    assert [tuple(row[name] for name in kept) for row in database["runs"]] == [
        ("~", "~", 2, None, False, 2, 2, 0),
        ("net.py:make", "masks", SCHEMA, True, True, 2, 2, 0),
        ("net", "~", SCHEMA, True, True, 2, 2, len(list(formulas()))),
        ("postgresql://…", "masks", SCHEMA, True, False, 2, 2, 0),
    ]
    assert [row["labelled_by_a_model"] for row in database["runs"]] == [False, False, True, False]
    assert {row["named"] for row in database["runs"]} == {len(cases.small_dissection().names())}
    assert answer["unreadable"] == ""


def formulas():
    return (one for unit in composed().dissection.units for one in unit.compositions)


def test_the_same_for_people(names, run):
    status, said, error = run("doctor", "--db", names)
    assert (status, told_of(said), told_of(error)) == (0, [], [])
    assert "Database names.db: schema 6, 4 runs" in said
    assert "evidence, importances for 2 classes, 2 pictures" in said
    assert "torch " + metadata.version("torch") in " ".join(said.split())


def test_problems_are_told_with_what_to_do(names, run, tmp_path, monkeypatch):
    names = shutil.copytree(names.parent, tmp_path / "secret") / "names.db"
    requires = metadata.requires

    def of_another_extra(package):
        declared = requires(package)
        return [*declared, "nowhere>=1; extra == 'timm'"] if package == "neuronexplain" else declared

    monkeypatch.setattr(software.metadata, "requires", of_another_extra)
    with sqlite3.connect(names) as database:
        database.execute("UPDATE pictures SET jpeg = x'00' WHERE run = 3")
    status, said, _ = run("doctor", "--db", names)
    assert (status, told_of(said)) == (0, [])
    assert "  - unfinished builds: 1, 3 MB; the command that began one resumes it" in said
    assert "  - the network of run 2, net.py:make, cannot be found; name the new place: --network" in said
    assert "  - the weights of run 2, w.pt, cannot be found; name the new place: --weights" in said
    assert "the dictionary of run 2" not in said
    assert "  - run 3 was changed or damaged since it was stored; build or import it again" in said
    assert "  - the weights of run 3, w.safetensors, cannot be found" in said
    assert "  - the network of run 4 needs nowhere; pip install 'neuronexplain[timm]'" in said
    assert "schema" not in said.partition("Problems:")[2]
    runs = json.loads(run("doctor", "--db", names, "--json")[1])["database"]["runs"]
    assert [row["intact"] for row in runs] == [None, True, False, True]


def test_code_that_was_not_built_here_is_told(tmp_path, run, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with NameStore.create(tmp_path / "names.db") as store:
        whole = small()
        publish(store, replace(whole, run=replace(whole.run, source={"network": "package.nets:make"})))
    said = run("doctor", "--db", tmp_path / "names.db")[1]
    assert "the network of run 1 is code, and this user has not built that run here; if you trust the code" in said


def test_an_older_database_is_a_problem_with_a_way_out(run):
    status, said, _ = run("doctor", "--db", MADE_BEFORE)
    assert status == 0
    assert "names.db is of schema 2, and this version writes schema 6; its runs are read as they are" in said
    assert "no checksum" in said


def test_an_empty_database_is_told(tmp_path, run):
    NameStore.create(tmp_path / "names.db").close()
    assert (
        "names.db holds no runs; build one with `neuronexplain build`"
        in run("doctor", "--db", tmp_path / "names.db")[1]
    )


NASTY = "postgresql://lovelace:hunter2@127.0.0.1:5432/secret?sslpassword=hunter2&options=-csearch_path%3Dsecret"
UNREADABLE = {
    "no file": (lambda home: home / "no secret.d" / "x.db", "x.db does not exist: build a database"),
    "a folder": (lambda home: home, "~ is a folder"),
    "no database": (lambda home: home / "notes.txt", "notes.txt: it is not an SQLite database"),
    "damaged rows": (lambda home: home / "damaged.db", "damaged.db is damaged, or was never one of ours"),
    "of another version": (lambda home: home / "new.db", "new.db is of schema version 99"),
    "a server that is not there": (lambda _: NASTY.replace("5432", "1"), "the postgresql server does not answer"),
    "no such driver": (lambda _: NASTY.replace("postgresql", "othersql"), "SQLAlchemy knows no 'othersql' database"),
    "no URL": (lambda _: "postgresql://lovelace:hunter2@secret:port/x", "neither a path nor a database's URL"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_database_that_cannot_be_read_is_one_line_and_the_rest_is_told(case, home, run):
    where, reason = UNREADABLE[case]
    status, said, error = run("doctor", "--db", where(home), "--json")
    assert status == 2
    assert error.startswith("neuronexplain: ")
    assert error.count("\n") == 1
    assert reason in error
    assert told_of(error) == told_of(said) == []
    answer = json.loads(said)
    assert (answer["database"], bool(answer["unreadable"])) == (None, True)
    assert answer["software"]["packages"]["torch"]


def test_for_people_too_the_rest_is_told(home, run):
    status, said, error = run("doctor", "--db", home / "notes.txt")
    assert status == 2
    assert said.startswith("NeuronExplain ")
    assert "problems" not in said.lower()
    assert error.count("\n") == 1


def test_without_a_database_the_installation_alone_is_told(run):
    status, said, error = run("doctor")
    assert (status, error) == (0, "")
    assert "Database" not in said
    assert "No problems found." in said


def problems_with(monkeypatch, versions=(), **requirements):
    """Problems that are found if packages had other versions, or needed something else."""
    versions, version, requires = dict(versions), metadata.version, metadata.requires

    def other_version(package):
        if versions.get(package, "") is None:
            raise metadata.PackageNotFoundError(package)
        return versions.get(package) or version(package)

    monkeypatch.setattr(software.metadata, "version", other_version)
    monkeypatch.setattr(software.metadata, "requires", lambda package: requirements.get(package, requires(package)))
    return [f"{problem.what}; {problem.remedy}" for problem in software_problems(software.software())]


def test_torch_and_torchvision_that_do_not_belong_together(monkeypatch):
    needed = next(needed for needed in metadata.requires("torchvision") if needed.startswith("torch "))
    (problem,) = problems_with(monkeypatch, {"torch": "2.13.9", "torchvision": "0.29.1"}, neuronexplain=[])
    assert f"torchvision 0.29.1 needs {needed.replace(' (', '').rstrip(')')}, and torch 2.13.9 is installed" in problem
    assert "pip install --upgrade torchvision torch" in problem


def test_torch_and_torchvision_of_different_builds(monkeypatch):
    versions = {"torch": "2.14.1+cpu", "torchvision": "0.29.1+cu130"}
    monkeypatch.setattr(software, "import_module", lambda name: SimpleNamespace(__version__=versions[name]))
    (problem,) = problems_with(monkeypatch)
    assert problem.startswith("torch 2.14.1+cpu and torchvision 0.29.1+cu130 are built for different devices; install")


def test_packages_that_are_missing_too_old_or_broken(monkeypatch):
    (problem,) = problems_with(monkeypatch, {"scipy": None})
    assert "needs scipy" in problem
    assert "which is not installed; pip install 'scipy" in problem
    (problem,) = problems_with(monkeypatch, {"scipy": "1.0"})
    assert "and scipy 1.0 is installed" in problem


def test_packages_that_do_not_load(monkeypatch):
    def fails(name):
        raise OSError("/home/lovelace/secret/libcudart.so.13: cannot open\nshared object file")

    monkeypatch.setattr(software, "import_module", fails)
    problem, _ = problems_with(monkeypatch)
    assert problem.startswith("torch cannot be imported (OSError: libcudart.so.13: cannot open shared object file)")


def test_neuronexplain_that_is_not_installed(monkeypatch, run):
    (problem,) = problems_with(monkeypatch, {"neuronexplain": None}, neuronexplain=[])
    assert "not installed" in problem
    assert run("doctor")[1].startswith("NeuronExplain of an unknown version\n")


def test_folders_that_cannot_be_written_are_told(tmp_path, run, monkeypatch):
    (tmp_path / "file").touch()
    for variable in ("XDG_STATE_HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "file" / "secret"))
    monkeypatch.setattr(kernels, "are_kept", lambda: False)
    said = run("doctor")[1]
    assert told_of(said) == []
    assert (
        "the folder hub cannot be written: published weights are fetched again each time; name another with TORCH_HOME"
        in said
    )
    assert "the folder neuronexplain cannot be written: networks that are code must be named each time" in said
    assert "compiled loops cannot be kept" in said


def test_kernels_are_kept_only_where_a_folder_can_be_written(monkeypatch):
    assert kernels.are_kept()

    njit = kernels.numba.njit

    def refuse(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(kernels.numba, "njit", refuse)
    assert not kernels.are_kept()


def test_devices_are_told_with_their_memory(run, monkeypatch):
    properties = SimpleNamespace(name="NVIDIA H100", total_memory=85_899_345_920)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: properties)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    said = run("doctor")[1]
    assert "Devices (PyTorch is built for CUDA 13.0):" in said
    assert "  cuda:1: NVIDIA H100, 80.0 GiB" in said


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("vgg16", "vgg16"),
        ("timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("hf/x/y/z", "hf/…/z"),
        ("hf//x/y", "hf/…/y"),
        ("/hf/x/y", "y"),
        ("./x y/z.pt2", "z.pt2"),
        ("..", ".."),
        ("/", ""),
        ("", ""),
        ("C:\\x\\net.py:make", "net.py:make"),
        ("x/y/", "y"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql://…"),
        ("see http://u:p@h/d", "http://…"),
    ],
)
def test_of_a_place_the_name_alone(place, name):
    assert name_only(place) == name


def test_without_a_home_paths_are_names_all_the_same(monkeypatch):
    def none():
        raise RuntimeError("Could not determine home directory.")

    for home in (none, lambda: Path("/")):
        monkeypatch.setattr(Path, "home", home)
        assert (name_only("/x/y"), name_only("/"), without_places("a file /x/y z")) == ("y", "", "a file y z")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a file /x/y z", "a file y z"),
        ("'/x/y.so': no, and \"C:\\x\\y\"", "'y.so': no, and \"y\""),
        ("and/or 3/4 of it", "and/or 3/4 of it"),
        ("at https://x.y/z?p=q.", "at https://…"),
    ],
)
def test_of_a_message_its_places_are_shortened(text, shown):
    assert without_places(text) == shown
    assert without_places(f"my odd, place {text}", "my odd, place /x") in {f"my odd, place {shown}", shown}
