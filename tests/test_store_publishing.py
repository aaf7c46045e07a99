"""A run is published whole or not at all, whatever goes wrong and whoever else publishes."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import store_cases as cases
from shapes import unchecked
from sqlalchemy import event

from db import NameStore, StoreError, engines
from dissection.vocabulary import Concept, Quarter

if TYPE_CHECKING:
    from collections.abc import Callable

    from db import ClassImportance, Run
    from dissection.vocabulary import Dissection

where = cases.where

SHARED = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import store_cases as cases\n"

HANG = (
    SHARED
    + """
from sqlalchemy import event
from db import NameStore

store = NameStore.create(sys.argv[1])

def hang(connection, cursor, statement, parameters, context, executemany):
    if "INSERT INTO importances" in statement:
        print("half way", flush=True)
        sys.stdin.read()

event.listen(store._engine, "before_cursor_execute", hang)
if store._engine.dialect.name == "sqlite":  # a cache of five pages: the rest of the run is in the file already
    event.listen(store._engine, "checkout", lambda connection, *_: connection.execute("PRAGMA cache_size = 5"))
dissection = cases.wide_dissection(400)
store.publish(cases.run_of(dissection, network="killed"), dissection, cases.flat_importances(dissection))
"""
)

RACE = (
    SHARED
    + """
from db import NameStore

dissection = cases.wide_dissection(300)
print("ready", flush=True)
sys.stdin.readline()
with NameStore.create(sys.argv[1]) as store:
    run = store.publish(cases.run_of(dissection), dissection, cases.flat_importances(dissection))
    print(run.id, run.created.isoformat(), store.dissection(run) == dissection)
"""
)


def start(script: str, where: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, where]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_build_leaves_the_database_as_it_was(where: str, stop: signal.Signals) -> None:
    with NameStore.create(where) as store:
        kept = store.publish(cases.run_of(cases.small_dissection()), cases.small_dissection())
    with start(HANG, where) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        if "://" not in where:
            assert Path(f"{where}-journal").stat().st_size > 0
        process.send_signal(stop)
        process.communicate()
    with NameStore.open(where) as store:
        assert store.runs() == [kept]
        assert store.dissection(kept) == cases.small_dissection()
    with NameStore.create(where) as store:
        dissection = cases.wide_dissection(400)
        again = store.publish(cases.run_of(dissection, network="killed"), dissection)
        assert store.dissection(again) == dissection


def test_two_builds_at_once_make_one_run(where: str) -> None:
    with start(RACE, where) as first, start(RACE, where) as second:
        both = (first, second)
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = {process.communicate()[0] for process in both}
    assert len(answers) == 1
    assert answers.pop().endswith("True\n")
    with NameStore.open(where) as store:
        assert len(store.runs()) == 1


def test_threads_may_share_a_store(where: str) -> None:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store, ThreadPoolExecutor(6) as pool:
        keys = ["same", "same", "same", "a", "b", "c"]
        runs = list(pool.map(lambda key: store.publish(cases.run_of(dissection, network=key), dissection), keys))
        assert len(set(map(repr, runs))) == len(store.runs()) == 4
        assert all(found == dissection for found in pool.map(store.dissection, runs))


def test_an_exception_half_way_leaves_nothing(where: str) -> None:
    def fail(*arguments: Any) -> None:
        if "INSERT INTO importances" in arguments[2]:
            raise KeyboardInterrupt

    dissection = cases.small_dissection()
    with NameStore.create(where) as store:
        event.listen(store._engine, "before_cursor_execute", fail)
        with pytest.raises(KeyboardInterrupt):
            store.publish(cases.run_of(dissection), dissection, cases.small_importances())
        event.remove(store._engine, "before_cursor_execute", fail)
        assert store.runs() == []
        assert store.publish(cases.run_of(dissection), dissection, cases.small_importances()).classes


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    path, dissection = tmp_path / "names.db", cases.small_dissection()
    with NameStore.create(path) as store:
        kept = store.publish(cases.run_of(dissection), dissection)
        pages = path.stat().st_size // 4096
        limit = f"PRAGMA max_page_count = {pages + 20}"
        event.listen(store._engine, "checkout", lambda connection, *_: connection.execute(limit))
        wide = cases.wide_dissection(2000)
        with pytest.raises(StoreError, match=r"names\.db: the disk is full, and the database is as it was before"):
            store.publish(cases.run_of(wide, network="other"), wide)
        assert store.runs() == [kept]
    with NameStore.open(path) as store:
        assert store.dissection(kept) == dissection
    assert [file.name for file in tmp_path.iterdir()] == ["names.db"]


def test_a_database_that_cannot_be_filled_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.engines.SCHEMA", object())  # the last row of a new database cannot be written
    monkeypatch.setattr("db.engines.str", lambda _: None, raising=False)
    with pytest.raises(StoreError, match="NOT NULL"):
        NameStore.create(tmp_path / "names.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("db.engines.os.link", refuse)
    with NameStore.create(tmp_path / "names.db") as store:
        assert store.runs() == []
    assert [file.name for file in tmp_path.iterdir()] == ["names.db"]


NAN = float("nan")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda run: replace(run, images=1), "number of images is 1 but the dissection has 800"),
        (lambda run: replace(run, layer=replace(run.layer, name="conv1")), "layer is Layer"),
        (lambda run: replace(run, key=replace(run.key, layer="conv1")), "key's layer is 'conv1'"),
        (lambda run: replace(run, key=replace(run.key, quantile=0.01)), "key's quantile is 0.01"),
        (lambda run: replace(run, key=replace(run.key, schema=7)), "schema is 7"),
        (lambda run: replace(run, key=replace(run.key, schema=1)), "schema is 1"),
        (lambda run: replace(run, key=replace(run.key, draws=9)), "key's draws is 9 but the dissection has 0"),
        (lambda run: replace(run, key=replace(run.key, schema=2), licence="CC0"), "of schema 2 has no draws, licence"),
        (lambda run: replace(run, source={"mean": (0.5,)}), "plain JSON"),
        (lambda run: replace(run, source={"mean": np.float32(0.5)}), "plain JSON"),
        (lambda run: replace(run, source={"mean": NAN}), "plain JSON"),
        (lambda run: replace(run, network="\udcff"), "cannot keep a value"),
    ],
)
def test_a_run_must_fit_its_dissection(where: str, run: Callable[[Run], Run], said: str) -> None:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store:
        with pytest.raises(StoreError, match=said) as caught:
            store.publish(run(cases.run_of(dissection)), dissection)
        assert "\n" not in str(caught.value)
        assert store.runs() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: replace(d, units=d.units[1:]), "has 6 units but the dissection holds 5"),
        (lambda d: replace(d, units=d.units[::-1]), "give each unit once, in order"),
        (lambda d: replace(d, concepts=d.concepts[::-1]), "ascending order"),
        (lambda d: replace(d, concepts=d.concepts[1:]), "unit 0 overlaps Concept.*'sky'.*does not list"),
        (
            lambda d: replace(
                d, concepts=(replace(d.concepts[0], concept=Concept(1, "air", "object")), *d.concepts[1:])
            ),
            "unit 0 overlaps Concept.*'sky'.*does not list",
        ),
        (lambda d: replace(d, units=(replace(d.units[0], threshold=NAN), *d.units[1:])), "unit 0 .*not a number"),
    ],
)
def test_a_dissection_must_hang_together(where: str, change: Callable[[Dissection], Dissection], said: str) -> None:
    dissection = change(cases.small_dissection())
    with NameStore.create(where) as store:
        with pytest.raises(StoreError, match=said):
            store.publish(cases.run_of(dissection), dissection)
        assert store.runs() == []


def with_evidence(dissection: Dissection, **changes: Any) -> Dissection:
    first = dissection.units[0]
    evidence = replace(first.evidence, **changes)
    return replace(dissection, units=(replace(first, evidence=evidence), *dissection.units[1:]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: replace(d, draws=0), "unit 0 has evidence, but the dissection no draws"),
        (lambda d: with_evidence(d, lit_map=(1.0,) * 5), "unit 0 has a lit map of 5 cells, its layer has 6"),
        (lambda d: with_evidence(d, lit_map=(1.0,) * 5 + (NAN,)), "unit 0 has evidence that is not a finite number"),
        (lambda d: with_evidence(d, p=NAN), "unit 0 has evidence that is not a finite number"),
        (lambda d: with_evidence(d, iou=(0.0, float("inf"))), "unit 0 has evidence that is not a finite number"),
        (lambda d: with_evidence(d, quarters=(Quarter(NAN, 1, 1),)), "unit 0 has evidence that is not a finite number"),
        (lambda d: with_evidence(d, control=NAN), "unit 0 has evidence that is not a finite number"),
        (lambda d: with_evidence(d, control=None), "unit 0 has no control, unlike the run"),
        (lambda d: with_evidence(d, runners_up=(Concept(1, "air", "object"),)), "unit 0 has the runner-up .*'air'"),
    ],
)
def test_evidence_must_fit_the_dissection(where: str, change: Callable[[Dissection], Dissection], said: str) -> None:
    dissection = change(cases.proven_dissection())
    with NameStore.create(where) as store:
        with pytest.raises(StoreError, match=said):
            store.publish(cases.run_of(dissection), dissection)
        assert store.runs() == []


def test_a_run_of_schema_2_has_no_evidence(where: str) -> None:
    proven, small = cases.proven_dissection(), cases.small_dissection()
    statistics = list(map(cases.with_statistics, cases.small_importances()))
    with NameStore.create(where) as store:
        for dissection, importances in ((proven, ()), (small, statistics)):
            with pytest.raises(StoreError, match="a run of schema 2 has no draws, licence or class statistics"):
                store.publish(cases.run_of(dissection, schema=2), dissection, importances)


def with_five_lits() -> ClassImportance:
    with unchecked():
        return replace(cases.with_statistics(cases.importance(0, "beach", 1, [0.0] * 6)), lits=np.zeros(5))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([replace(cases.importance(0, "beach", 1, [0.0] * 6), lits=np.zeros(6))], "only some of its statistics"),
        ([with_five_lits()], r"\(5,\)"),
        ([replace(cases.with_statistics(cases.importance(0, "beach", 1, [0.0] * 6)), lits=np.full(6, NAN))], "finite"),
        ([cases.importance(3, "museum", 1, [0.0] * 6)], "not a class of the run, which has 3: give one of its own"),
        ([cases.importance(0, "library", 1, [0.0] * 6)], "not a class of the run"),
        ([cases.importance(-1, "library", 1, [0.0] * 6)], "not a class of the run"),
        ([cases.importance(0, "beach", 1, [0.0] * 5)], r"shape \(5,\): give shape \(6,\)"),
        ([cases.importance(0, "beach", 1, [0.0] * 5 + [NAN])], "not a finite number"),
        ([cases.importance(0, "beach", 1, [0.0] * 6)] * 2, "two importances"),
    ],
)
def test_importances_must_fit_the_run(where: str, given: list[ClassImportance], said: str) -> None:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store, pytest.raises(StoreError, match=said):
        store.publish(cases.run_of(dissection), dissection, given)


@pytest.mark.parametrize("image", [6, -1])
def test_a_picture_must_be_of_an_exemplar(where: str, image: int) -> None:
    dissection = cases.small_dissection()
    with NameStore.create(where) as store, pytest.raises(StoreError, match=f"a picture is of image {image}, which no"):
        store.publish(cases.run_of(dissection), dissection, (), {7: b"jpeg", image: b"jpeg"})


def test_a_database_is_published_to_although_its_maker_failed_and_removed_it(tmp_path: Path) -> None:
    dissection = cases.wide_dissection(4)
    with NameStore.create(tmp_path / "names.db") as maker, NameStore.create(tmp_path / "names.db") as other:
        assert other.runs() == []
        maker.__exit__(StoreError, StoreError("it fails"), None)
        assert not (tmp_path / "names.db").exists()
        run = other.publish(cases.run_of(dissection), dissection)
    with NameStore.open(tmp_path / "names.db") as store:
        assert store.runs() == [run]


def test_a_database_that_another_has_published_to_is_not_removed(tmp_path: Path) -> None:
    dissection = cases.wide_dissection(4)
    with NameStore.create(tmp_path / "names.db") as maker, NameStore.create(tmp_path / "names.db") as other:
        run = other.publish(cases.run_of(dissection), dissection)
        maker.__exit__(StoreError, StoreError("it fails"), None)
    with NameStore.open(tmp_path / "names.db") as store:
        assert store.runs() == [run]


def test_a_database_is_not_removed_while_another_publishes_to_it(tmp_path: Path) -> None:
    dissection = cases.wide_dissection(4)
    with NameStore.create(tmp_path / "names.db") as maker, NameStore.create(tmp_path / "names.db") as other:
        with ThreadPoolExecutor(1) as pool, engines.writing(other._engine):
            ending = pool.submit(maker.__exit__, StoreError, StoreError("it fails"), None)
            with pytest.raises(TimeoutError):
                ending.result(timeout=0.5)  # it waits for the lock
            assert (tmp_path / "names.db").exists()
        ending.result()
        run = other.publish(cases.run_of(dissection), dissection)
    with NameStore.open(tmp_path / "names.db") as store:
        assert store.runs() == [run]
