"""Names as plain files and from store to store: what is written reads back equal, and what disagrees is told."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import store_cases as cases
from hypothesis import HealthCheck, given, settings
from sharing_cases import good, proven, publish, small, spoilt

from db import NameStore, StoreError, WholeRun
from db.exchange.json_fields import KeyForm, document
from db.exchange.json_form import run_of
from db.exchange.plain_files import read_folder, read_json, write_csv, write_folder, write_json
from db.merging import difference
from db.records import IMPORTED, RunKey
from dissection.errors import OutputError
from dissection.vocabulary import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from db import ClassImportance, Run
    from dissection.vocabulary import Dissection

where = cases.where


def assert_same(found: WholeRun, wanted: WholeRun, *, pictures: bool = True) -> None:
    source = {name: value for name, value in found.run.source.items() if name != "shared"}
    assert replace(found.run, source=source) == replace(wanted.run, id=found.run.id)
    assert found.run.key.digest == wanted.run.key.digest
    assert found.dissection == wanted.dissection
    assert len(found.importances) == len(wanted.importances)
    assert all(map(cases.same, found.importances, wanted.importances))
    assert found.pictures == (wanted.pictures if pictures else {})
    assert difference(found, wanted) is None


@given(published=cases.published())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_reads_back_equal(tmp_path: Path, published: tuple[Run, Dissection, list[ClassImportance]]) -> None:
    run, dissection, importances = published
    whole = WholeRun(run, dissection, tuple(importances))
    file = tmp_path / "names.json"
    write_json(file, [whole], licence=run.network)
    (found,), licence = read_json(file)
    wanted = replace(whole, run=replace(run, source=json.loads(file.read_text())["runs"][0]["source"]))
    assert licence == run.network
    assert_same(found, wanted)
    assert repr(found.dissection) == repr(wanted.dissection)  # also -0.0


def test_from_store_to_store_by_either_form(where: str, tmp_path: Path) -> None:
    with NameStore.create(where) as store:
        wholes = [publish(store, whole) for whole in (small(), small(network="other"), small(schema=2), proven())]
        write_json(tmp_path / "names.json", wholes)
        write_folder(tmp_path / "shared", wholes, "CC0")
        for whole in wholes:
            store.delete(whole.run)
        for read, path, pictures in (
            (read_json, tmp_path / "names.json", False),
            (read_folder, tmp_path / "shared", True),
        ):
            given, licence = read(path)
            assert licence == ("CC0" if pictures else None)
            adopted = store.adopt(given)
            assert all(each.is_new for each in adopted)
            for each, wanted in zip(adopted, wholes, strict=True):
                assert store.run(each.run.id) == each.run
                assert_same(store.whole(each.run), wanted, pictures=pictures)
            assert [each.is_new for each in store.adopt(given)] == [False] * 4
            assert len(store.runs()) == 4
            for each in adopted:
                store.delete(each.run)


def test_what_is_read_is_written_the_same_again(tmp_path: Path) -> None:
    write_folder(tmp_path / "a", [proven()])
    write_folder(tmp_path / "b", read_folder(tmp_path / "a")[0])
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    digest = proven().run.key.digest[:12]
    assert {str(file) for file in files} == {
        *(f"{digest}/{name}" for name in ("overlaps.csv", "pictures/2.jpg", "pictures/7.jpg", "units.csv")),
        "README.md",
        "names.json",
    }
    for file in files:
        if file.name != "README.md":
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_private_folders_are_not_written(tmp_path: Path) -> None:
    source = {
        "network": "/home/ada/nets/net.py:make",
        "weights": r"C:\Users\ada\w.pt",
        "others": ["~/x/y.pt", "../ada/z.pt", "timm/resnet50", "nets/mine.py:make", 3, None],
    }
    whole = replace(small(), run=replace(small().run, source=source))
    write_folder(tmp_path / "shared", [whole])
    written = [path for path in (tmp_path / "shared").rglob("*.*") if path.is_file()]
    assert not [path for path in written if b"ada" in path.read_bytes()]
    (found,), _ = read_folder(tmp_path / "shared")
    assert found.run.source == {
        "network": "net.py:make",
        "weights": "w.pt",
        "others": ["y.pt", "z.pt", "timm/resnet50", "nets/mine.py:make", 3, None],
    }


def test_csv_has_a_line_for_each_unit(tmp_path: Path) -> None:
    write_csv(tmp_path / "names.csv", small())
    with (tmp_path / "names.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["unit"], row["name"], row["best"]) for row in rows] == [
        ("0", "sky", "sky"),
        ("1", "grass", "grass"),
        ("2", "sky", "sky"),
        ("3", "", "traffic light"),
        ("4", "", ""),
        ("5", "street", "street"),
    ]
    assert float(rows[0]["iou"]) == 0.4
    assert (rows[0]["intersection"], rows[0]["unit_area"], rows[0]["concept_area"]) == ("40", "40", "100")


def test_a_key_has_the_same_parts_in_json() -> None:
    assert list(KeyForm.__struct_fields__) == [field.name for field in fields(RunKey)]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_file_without_a_checksum_is_read(tmp_path: Path, version: int) -> None:
    stored = json.loads(spoilt(lambda run: run.pop("checksum"), proven))
    (tmp_path / "names.json").write_text(json.dumps(stored | {"version": version}))
    runs, _ = read_json(tmp_path / "names.json")
    with NameStore.create(tmp_path / "names.db") as store:
        assert [adopted.is_new for adopted in store.adopt(runs)] == [True]


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    stored = json.loads(good(lambda: small(schema=2)))
    del stored["runs"][0]["licence"], stored["runs"][0]["checksum"]
    assert "draws" not in stored["runs"][0]["key"]
    (tmp_path / "names.json").write_text(json.dumps(stored | {"version": 1}))
    (found,), _ = read_json(tmp_path / "names.json")
    assert_same(found, small(schema=2), pictures=False)


def silent(importance: ClassImportance) -> ClassImportance:
    return replace(importance, contributions=np.zeros(len(importance.alphas)))


CHANGES: dict[str, Callable[[WholeRun], WholeRun]] = {
    "the threshold of unit 3": lambda whole: units(whole, 3, threshold=7.0),
    "the overlaps of unit 1": lambda whole: units(whole, 1, overlaps=(cases.grass(61, 86),)),
    "the exemplars of unit 4": lambda whole: units(whole, 4, exemplars=whole.dissection.units[4].exemplars[:1]),
    "concepts or their support": lambda whole: replace(
        whole,
        dissection=replace(whole.dissection, concepts=(*whole.dissection.concepts, cases.SEA)),
    ),
    "classes": lambda whole: replace(whole, run=replace(whole.run, classes=("beach", "street", "zoo"))),
    "constant alphas": lambda whole: replace(
        whole, run=replace(whole.run, constant_alphas=True), importances=(silent(whole.importances[0]),)
    ),
    "the body of the network": lambda whole: replace(whole, run=replace(whole.run, body="ab" * 32)),
    "the classes that importances were gathered for": lambda whole: replace(whole, importances=whole.importances[:1]),
    "the importances of class 1": lambda whole: replace(
        whole, importances=(whole.importances[0], cases.importance(1, "street", 3, [-0.5, 0.25, 1e-300, 9, 9, 2]))
    ),
}


CHANGES_OF_EVIDENCE: dict[str, Callable[[WholeRun], WholeRun]] = {
    "the overlaps of unit 1": lambda whole: units(
        whole,
        1,
        overlaps=(replace(whole.dissection.units[1].overlaps[0], truth=Truth(8, 6, 701, 6)),),
    ),
    "the exemplars of unit 4": lambda whole: units(
        whole,
        4,
        exemplars=(replace(whole.dissection.units[4].exemplars[0], concepts=(cases.SKY,)),),
    ),
    "the evidence of unit 0": lambda whole: units(
        whole, 0, evidence=replace(whole.dissection.units[0].evidence, kept=0.5)
    ),
    "the importances of class 1": lambda whole: replace(
        whole,
        importances=(
            whole.importances[0],
            replace(whole.importances[1], lits=np.nextafter(whole.importances[1].lits, 9)),
        ),
    ),
    "the importances of class 0": lambda whole: replace(
        whole, importances=tuple(map(cases.with_statistics, whole.importances))
    ),
}


@pytest.mark.parametrize("what", CHANGES_OF_EVIDENCE)
def test_stores_that_disagree_about_evidence_are_told(where: str, what: str) -> None:
    with NameStore.create(where) as store:
        held = publish(store, proven())
        with pytest.raises(StoreError, match=f"but differ in {what}:"):
            store.adopt([CHANGES_OF_EVIDENCE[what](proven())])
        assert_same(store.whole(held.run), held)


def units(whole: WholeRun, number: int, **changes: Any) -> WholeRun:
    changed = list(whole.dissection.units)
    changed[number] = replace(changed[number], **changes)
    return replace(whole, dissection=replace(whole.dissection, units=tuple(changed)))


@pytest.mark.parametrize("what", CHANGES)
def test_stores_that_disagree_are_told(where: str, what: str) -> None:
    with NameStore.create(where) as store:
        held = publish(store, small())
        given = [small(network="new"), replace(CHANGES[what](small()), origin="other.db, run 1")]
        with pytest.raises(StoreError, match=rf"other\.db, run 1 and run \d+ of .* but differ in {what}:"):
            store.adopt(given)
        assert store.runs() == [held.run]
        assert_same(store.whole(held.run), held)


def before_it_was_kept() -> WholeRun:
    """The same run as of schema 3, which does not say what exemplars show."""
    whole = proven(schema=3)
    return replace(whole, dissection=cases.without_shown(whole.dissection))


@pytest.mark.parametrize(("held", "incoming"), [(proven, before_it_was_kept), (before_it_was_kept, proven)])
def test_runs_with_and_without_what_exemplars_show_are_one(
    where: str, held: Callable[[], WholeRun], incoming: Callable[[], WholeRun]
) -> None:
    with NameStore.create(where) as store:
        (first, second) = (store.adopt([make()])[0] for make in (held, incoming))
        assert (first.is_new, second.is_new, second.run) == (True, False, first.run)
        assert store.dissection(first.run) == held().dissection


def test_what_is_for_people_may_differ(where: str) -> None:
    with NameStore.create(where) as store:
        held = publish(store, small())
        other = replace(
            small(), run=replace(small().run, network="mine", source={}, concepts="x", licence="y"), pictures={}
        )
        (adopted,) = store.adopt([other])
        assert (adopted.run, adopted.is_new) == (held.run, False)


def test_an_import_keeps_the_time(where: str) -> None:
    with NameStore.create(where) as store:
        (adopted,) = store.adopt([small()])
        assert store.run(adopted.run.id).created == small().run.created


def test_an_import_that_is_stopped_leaves_nothing(where: str) -> None:
    def stopped() -> Iterator[WholeRun]:
        yield small()
        raise KeyboardInterrupt

    with NameStore.create(where) as store:
        with pytest.raises(KeyboardInterrupt):
            store.adopt(stopped())
        assert store.runs() == []


HANG = """
import sys
from sharing_cases import small
from db import NameStore

def runs():
    yield small()
    print("half way", flush=True)
    sys.stdin.read()

NameStore.create(sys.argv[1]).adopt(runs())
"""


def test_an_import_that_is_killed_leaves_nothing(where: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    with NameStore.create(where) as store:
        held = publish(store, small(network="kept"))
    command = [sys.executable, "-c", HANG, where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with NameStore.open(where) as store:
        assert store.runs() == [held.run]


@pytest.mark.parametrize("write", [write_json, write_folder])
def test_an_export_that_fails_leaves_what_was_there(write: Callable[..., None], tmp_path: Path) -> None:
    def stopped() -> Iterator[WholeRun]:
        yield small()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", stopped())
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "out", [small()])
    before = (tmp_path / "out").read_bytes()
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write(tmp_path / "out", stopped())
    assert (tmp_path / "out").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    write_folder(tmp_path / "mine", [small()])
    with pytest.raises(OutputError, match="already exists"):
        write_folder(tmp_path / "mine", [small()])
    with pytest.raises(OutputError, match="cannot write"):
        write_folder(tmp_path / "mine" / "names.json" / "where", [small()])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_imported_run_is_never_taken_for_ours(where: str) -> None:
    imported = small(network=IMPORTED + cases.run_of(cases.small_dissection()).key.network)
    with NameStore.create(where) as store:
        ours, theirs = publish(store, small()).run, publish(store, imported).run
        assert store.run_for(ours.key.network) == ours
        assert store.names(theirs) == store.names(ours)
        for ask in (store.thresholds, lambda run: store.concepts_of(run, 0), lambda run: store.classes_for(run, "sky")):
            with pytest.raises(StoreError, match="was imported from a NetDissect result"):
                ask(theirs)


def test_a_document_holds_what_it_says() -> None:
    (form,) = document(good(), "here").runs
    found = run_of(form, "here", {})
    assert found.origin == f"here, run {small().run.key.digest[:12]}"
    assert found.importances[0].alphas.dtype == np.float64
    assert found.run == small().run
