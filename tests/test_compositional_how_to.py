"""The page about names of several concepts runs as it stands there, on the demo's scenes."""

import json
import re
import shlex
from pathlib import Path

import pytest

from db import NameStore

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "compositional-names.md").read_text()
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(IN_PYTHON,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def place(demo, tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "scenes").symlink_to(demo / "demo" / "scenes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_runs(place, run, capsys):
    build, units, unchecked, export = map(shlex.split, COMMANDS.strip().splitlines())
    status, told, error = run(*build[1:], "--limit", "150", "--draws", "19")
    assert status == 0, error
    said = re.search(
        r"Names of several concepts: (\d+) hold on the half of the images .* of (\d+)", " ".join(told.split())
    )
    assert said
    accepted, found = map(int, said.groups())
    assert 0 < accepted < found
    status, told, error = run(*units[1:], "--json")
    assert status == 0, error
    rows = json.loads(told)
    assert sum(row["formula"] is not None for row in rows) == accepted
    assert all(row["formula_iou"] >= 0.05 and row["formula_gain_low"] > 0 for row in rows if row["formula"])
    status, told, error = run(*unchecked[1:], "--json")
    assert status == 0, error
    rows = json.loads(told)
    assert sum(row["formula"] is not None for row in rows) == found
    assert "Unchecked: each formula" in error
    status, told, error = run(*export[1:])
    assert status == 0, error
    exported = json.loads((place / "formulas.json").read_text())["runs"][0]
    assert sum("compositions" in unit for unit in exported["units"]) == found
    assert exported["key"]["length"] == 3
    capsys.readouterr()
    exec(IN_PYTHON, {})
    assert len(capsys.readouterr().out.splitlines()) == accepted


def test_without_a_search_it_is_said(place, run, demo):
    status, _, error = run("units", "--db", demo / "demo" / "scenes.db", "--unchecked")
    assert status == 2
    assert "build it with --length 3" in error
    status, _, error = run(
        "build", "--network", "scenes", "--concepts", "demo/scenes", "--db", "x.db", "--length", 2, "--draws", 0
    )
    assert status == 2
    assert "--length 2 needs evidence" in error
    with NameStore.open(demo / "demo" / "scenes.db") as store:
        (made,) = store.runs()
        assert "length" not in made.key.parts
