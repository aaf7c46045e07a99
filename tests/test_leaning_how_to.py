"""The pages on effects and rules run as they stand there, on nurses and zebras."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from hair_world import write_hair_world

from neuronexplain.cli.app import app

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)


@pytest.fixture
def place(made_once, tmp_path, monkeypatch):
    """The current folder, with what the pages speak of."""
    world = made_once("hair-world", write_hair_world)
    for name, of_world in (("photos", "photos"), ("hair-masks", "hair-masks"), ("names.db", "biased.db")):
        (tmp_path / name).symlink_to(world / of_world)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_effect_is_measured(place, run):
    (whole, by_label) = blocks("measure-an-effect.md", "sh")
    said = []
    for line in (whole + by_label).strip().splitlines():
        status, told, error = run(*shlex.split(line)[1:])
        assert status == 0, error
        said.append(" ".join(told.split()))
    assert "no masks say where hair is" in said[0]
    assert said[1].startswith("nurse leans on hair: ")
    assert "labelled coat" in said[2]
    assert {path.name for path in (place / "nurse-hair").iterdir() if path.suffix != ".lock"} == {
        "index.html",
        "audit.json",
        "effect.json",
        "effect.jsonl",
    }


def test_rules_are_checked(place, run):
    (rules,), (command,), (workflow,) = (blocks("rules-in-ci.md", kind) for kind in ("toml", "sh", "yaml"))
    (place / "rules.toml").write_text(rules)
    assert command.strip() in workflow
    status, told, error = run(*shlex.split(command)[1:])
    assert (status, error.count("Traceback")) == (1, 0)
    broken, kept, counts, page = told.strip().splitlines()
    assert broken.startswith("broken     nurses by their work: nurse may lean on hair by at most 5 %")
    assert kept.startswith("kept       zebra must lean on stripes")
    assert (counts, page) == ("1 kept, 1 broken, 0 undecided.", "Page: rules/index.html")
    assert (place / "rules.xml").exists()
    for path in re.search(r"path: \|\n((?: +\S+\n?)+)", workflow)[1].split():
        assert (place / path).exists()


def test_every_option_of_the_pages_exists():
    audit = typer.main.get_command(app).commands["audit"].commands
    options = {option for command in audit.values() for parameter in command.params for option in parameter.opts}
    for page in ("measure-an-effect.md", "rules-in-ci.md"):
        assert set(re.findall(r"`(--[a-z-]+)", (HOW_TO / page).read_text())) <= options
