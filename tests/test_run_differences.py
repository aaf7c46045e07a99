"""What sets runs of one network apart, in the listing and in what `explain` takes; and deleting runs."""

import io
import json
import re
import sqlite3
from dataclasses import replace

import pytest
import torch
from store_cases import proven_dissection, run_of, small_dissection, small_importances, where
from two_runs import two_runs
from worlds import colour_square

from db import NameStore, RunNotFoundError
from dissection.networks.devices import fastest_device
from neuronexplain.cli.options import _device
from neuronexplain.run_differences import differences, differences_within_networks

__all__ = ["where"]  # a fixture


def spelled(mean: str) -> str:
    return f'{{"interpolation":"bilinear","mean":[{mean}],"resize":256,"size":[224,224],"std":[1,1,1]}}'


def test_a_mean_that_is_spelled_in_two_ways_is_told_with_the_digits_it_takes():
    exact, rounded = repr([123 / 255] * 3)[1:-1], "0.48235, 0.48235, 0.48235"
    one, other = (
        replace(run_of(small_dissection(), preprocessing=spelled(mean)), id=number)
        for number, mean in enumerate((exact, rounded), 1)
    )
    apart = differences([one, other])
    assert apart[1].keys() == apart[2].keys() == {"mean"}
    assert apart[1]["mean"] != apart[2]["mean"]
    assert apart[2]["mean"] == "0.48235, 0.48235, 0.48235"
    assert apart[1]["mean"].startswith("0.482353, ")


def test_everything_that_an_answer_depends_on_is_compared():
    base = replace(run_of(small_dissection()), id=1)
    for name, value in (
        ("concepts", "f" * 64),
        ("precision", "bfloat16"),
        ("min_images", 3),
        ("quantile", 0.01),
        ("upsampling", "nearest"),
        ("evidence", "other images"),
        ("draws", 5),
        ("control", True),
        ("preprocessing", "none"),
        ("schema", 2),
    ):
        other = replace(base, id=2, key=replace(base.key, **{name: value}))
        apart = differences([base, other])
        assert apart[1], name
        assert apart[1] != apart[2]
    assert differences([base, replace(base, id=2)]) == {1: {}, 2: {}}
    assert differences([]) == {}


def test_runs_of_other_networks_are_not_compared():
    base = replace(run_of(small_dissection()), id=1)
    others = [
        replace(base, id=2, body="f" * 64, key=replace(base.key, network="f" * 64, quantile=0.5)),
        replace(base, id=3, key=replace(base.key, draws=7)),
    ]
    apart = differences_within_networks([base, *others])
    assert apart == {1: {"draws": "0"}, 2: {}, 3: {"draws": "7"}}


def test_the_newest_run_of_one_network_is_taken(where):
    runs = [
        run_of(small_dissection()),
        run_of(small_dissection(), concepts="d0"),
        run_of(small_dissection(), network="f"),
    ]
    with NameStore.create(where) as store:
        with pytest.raises(RunNotFoundError, match="has no run yet"):
            store.newest_of()
        kept = [store.publish(run, small_dissection(), small_importances()) for run in runs[:2]]
        assert store.newest_of() == kept[1]
        assert store.newest_of("resnet18") == kept[1], "a new place of a network has another name"
        other = store.publish(replace(runs[2], network="alexnet", source={}), small_dissection(), small_importances())
        with pytest.raises(RunNotFoundError, match="name one with --run"):
            store.newest_of()
        assert store.newest_of("alexnet") == other
        assert store.newest_of("vgg16") == kept[1]
        assert store.held() == {run.id: run.key.digest for run in (*kept, other)}


@pytest.fixture
def three_runs(where):
    """A database with three runs, the first with evidence."""
    proven = proven_dissection()
    with NameStore.create(where) as store:
        store.publish(run_of(proven), proven, small_importances(), {})
        for name in ("second", "third"):
            store.publish(run_of(small_dissection(), concepts=name), small_dissection(), small_importances())
    return where


def whole(where, number):
    with NameStore.open(where) as store:
        kept = store.whole(store.run(number))
        return kept.dissection, [one.alphas.tobytes() for one in kept.importances]


def test_runs_are_deleted_and_nothing_else(three_runs, run):
    before = whole(three_runs, 2)
    status, out, _ = run("runs", "delete", 1, 3, 1, "--db", three_runs, "--yes")
    assert status == 0
    assert "run 1, vgg16" in out
    assert "run 3, vgg16" in out
    assert "Deleted 2; 1 left." in out
    with NameStore.open(three_runs) as store:
        assert [kept.id for kept in store.runs()] == [2]
    assert whole(three_runs, 2) == before
    if "://" not in str(three_runs):
        with sqlite3.connect(three_runs) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                if "run" in columns:
                    assert connection.execute(f"SELECT count(*) FROM {table} WHERE run != 2").fetchone() == (0,), table
        connection.close()


def test_all_are_deleted_or_none(three_runs, run):
    status, _, error = run("runs", "delete", 1, 9, "--db", three_runs, "--yes")
    assert status == 2
    assert "has no run 9" in error
    with NameStore.create(three_runs) as store:
        gone = store.run(2)
        store.delete(gone)
        with pytest.raises(RunNotFoundError):
            store.delete_all([store.run(1), gone])
        assert [kept.id for kept in store.runs()] == [1, 3]


def test_nobody_is_asked_where_nobody_is(three_runs, run):
    status, out, error = run("runs", "delete", 1, "--db", three_runs)
    assert status == 2
    assert "To be deleted: run 1" in out
    assert "add --yes" in error
    with NameStore.open(three_runs) as store:
        assert len(store.runs()) == 3


@pytest.mark.parametrize(("reply", "left"), [("y\n", 2), ("n\n", 3), ("\n", 3)])
def test_a_person_is_asked(three_runs, run, monkeypatch, reply, left):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(reply))
    status, out, _ = run("runs", "delete", 1, "--db", three_runs)
    assert status == (0 if left == 2 else 1)
    assert "of the 3 runs" in out
    with NameStore.open(three_runs) as store:
        assert len(store.runs()) == left


def test_the_database_is_needed_by_the_listing_too(run, three_runs):
    status, _, error = run("runs")
    assert status == 2
    assert error == "neuronexplain: missing option '--db'; see neuronexplain runs --help\n"
    assert run("runs", "--db", three_runs, "delete", 3, "--yes")[0] == 0, "before the subcommand"


def test_the_listing_says_what_differs_and_explain_takes_the_newest(made_once, tmp_path, run):
    database = two_runs(made_once)
    colour_square("red").save(tmp_path / "red.png")
    _, out, _ = run("runs", "--db", database)
    assert "what differs" in out
    assert re.search(r"draws\s+199", out)
    rows = json.loads(run("runs", "--db", database, "--json")[1])
    assert [row["differs"] for row in rows] == [{"draws": "199"}, {"draws": "0"}]
    status, out, _ = run("explain", tmp_path / "red.png", "--db", database, "--json")
    assert status == 0
    assert json.loads(out)[0]["has_evidence"] is False
    _, out, _ = run("explain", tmp_path / "red.png", "--db", database, "--run", 1, "--json")
    assert json.loads(out)[0]["has_evidence"] is True


def test_the_version_is_told(run):
    status, out, _ = run("--version")
    assert status == 0
    assert re.fullmatch(r"neuronexplain \d+\.\d+.*\n", out)


def test_the_fastest_device_is_taken(monkeypatch):
    for cuda, mps, device in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert fastest_device() == _device("auto") == device
    assert _device("cuda:1") == "cuda:1"
