"""The script of attacks runs, finds nothing where there is nothing, and finds what is wrong."""

import json
import os
import random
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts" / "attack"


@pytest.fixture
def attack(monkeypatch):
    """The script's modules, by name."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        if (SCRIPTS / f"{name}.py").exists():
            del sys.modules[name]


@pytest.mark.skipif(shutil.which("cc") is None, reason="calls are struck by a library written in C")
def test_killed_and_damaged_commands_end_as_undisturbed_ones(tmp_path):
    commands = ["build", "convert", "export a folder"]
    options = [
        "--smoke",
        "--only",
        "kills,unfinished",
        "--commands",
        ",".join(commands),
        "--json",
        tmp_path / "attack.json",
    ]
    command = [sys.executable, SCRIPTS / "run.py", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "attack.json").read_text())
    assert content["faults"] == []
    rows = {(row["subject"], row["row"]): row for row in content["counts"]}
    assert {("kills", name) for name in commands} <= set(rows)
    assert rows["kills", "build"]["right"] == 2
    assert done.stdout.startswith("| attack | tried |")


def column(attack, status, err="", *, also=(), **facts):
    """The column of an ending that is not in order."""
    bad = attack("outcomes").fault(attack("commands").Ending(status, "", err, **facts), also)
    return bad and bad[0]


LINE = "neuronexplain: it is damaged; get it again\n"


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        ((0, ""), None),
        ((2, LINE), None),
        ((2, f"a note\n{LINE}"), None),
        ((2, ""), "tracebacks"),
        ((2, LINE * 2), "tracebacks"),
        ((1, "neuronexplain: KeyError: 1; this is a bug in NeuronExplain\n"), "tracebacks"),
        ((2, f"Traceback (most recent call last):\n{LINE}"), "tracebacks"),
        ((-11, ""), "tracebacks"),
        ((2, "neuronexplain: out of memory; a smaller --batch-size needs less\n"), "memory over 2 GB"),
    ],
)
def test_an_ending_is_in_order_or_has_a_column(seen, outcome, attack):
    assert column(attack, *seen) == outcome


def test_too_much_memory_and_no_end_have_columns(attack):
    assert column(attack, 0, peak=3 << 30) == "memory over 2 GB"
    assert column(attack, -9, hung=True) == "hangs"
    assert column(attack, 130, LINE) == "tracebacks"
    assert column(attack, 130, LINE, also={130}) is None


def test_damage_is_drawn_from_its_seed_and_always_changes_something(attack):
    damage = attack("damage")
    content = b"number,name\n1,sky\n2,tree\n" * 9
    ways = set()
    for seed in range(300):
        way, changed = damage.damaged(content, random.Random(seed), text=True)
        assert changed != content
        assert (way, changed) == damage.damaged(content, random.Random(seed), text=True)
        ways.add(way)
    assert ways == {way.__name__ for way in (*damage.BYTES, *damage.TEXT)}
    for way in damage.BYTES:
        way(b"x", random.Random(0))


def test_swapped_pages_are_all_still_there(attack):
    content = bytes(page for page in range(5) for _ in range(4096)) + b"end"
    changed = attack("damage").swapped(content, random.Random(1))
    assert changed != content
    assert sorted(changed) == sorted(content)


def test_a_half_written_file_a_leftover_and_another_answer_are_seen(tmp_path, attack):
    operations = attack("operations")
    contents = operations.contents
    operation = operations.Operation("write", lambda _: [], ("answer",))
    (tmp_path / "answer").write_text("whole")
    reference = operations.Reference({}, contents(tmp_path))
    assert not reference.half_written(operation, tmp_path)
    assert not reference.left_over(tmp_path)
    assert not reference.differs(tmp_path)
    (tmp_path / "answer").write_text("who")
    assert reference.half_written(operation, tmp_path).startswith("answer is half written")
    assert reference.differs(tmp_path) == ["answer"]
    (tmp_path / "answer").unlink()
    assert not reference.half_written(operation, tmp_path)
    (tmp_path / ".x.part").touch()
    assert reference.left_over(tmp_path) == [".x.part"]
