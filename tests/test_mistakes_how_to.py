"""The pages about audits run as they stand there, on scenes, of which some lie in the wrong folder."""

import re
import shlex
from pathlib import Path

import pytest

from dissection.scenes.scene import draw_scene
from dissection.scenes.words import SCENE_CLASSES
from neuronexplain.audit.page import read_audit

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"


def commands(page: str) -> list[list[str]]:
    """The words of the audits on a page."""
    blocks = re.findall(r"```sh\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.strip().splitlines()]
    return [words[1:] for words in lines if words[:2] == ["neuronexplain", "audit"]]


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A folder with the demo's names, and scenes in the folders of their classes, or of the class after theirs."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "names.db").symlink_to(demo / "demo" / "scenes.db")
    lines = ["image,group"]
    for index in range(24):
        is_misfiled = index in {0, 12, 15}
        label = SCENE_CLASSES[(index + is_misfiled) % 12]
        (folder / "photographs" / label).mkdir(parents=True, exist_ok=True)
        draw_scene(9, index).photograph.save(folder / "photographs" / label / f"{index}.png")
        lines.append(f"{label}/{index}.png,{'misfiled' if is_misfiled else 'filed'}")
    (folder / "groups.csv").write_text("\n".join(lines))
    return folder


def test_mistakes_are_found_as_the_page_says(place, run, monkeypatch):
    monkeypatch.chdir(place)
    with_page, as_csv = commands("find-mistakes.md")
    status, told, error = run(*with_page)
    assert status == 0, error
    assert "bedroom, taken for beach  [bedroom/0.png]" in told
    assert read_audit(place / "audits" / "mistakes").kind == "mistakes"
    status, rows, error = run(*as_csv)
    assert (status, rows.count("\n") - 1) == (0, told.count(" taken for ") - told.count("is taken for")), error
    page = (place / "audits" / "mistakes" / "index.html").read_text()
    assert "bedroom, taken for beach" in page


def test_groups_are_compared_as_the_page_says(place, run, monkeypatch):
    monkeypatch.chdir(place)
    (command,) = commands("compare-groups.md")
    status, told, error = run(*command)
    assert status == 0, error
    assert "All classes: filed and misfiled\n  Right in " in told
    assert "of 3 in misfiled" in told
    assert read_audit(place / "audits" / "groups").kind == "groups"
