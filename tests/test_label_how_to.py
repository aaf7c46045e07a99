"""The page about photographs without masks runs as it stands there, with models that need no download."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

pytest.importorskip("transformers")

import tiny_segmenters as tiny

from dissection.concepts.generated import write_scenes

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "label-photographs.md").read_text()
COMMANDS, CHECKED, PROMPTED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SCENES = 12


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photographs, the same with true masks, and a segmenter."""
    write_scenes(tmp_path / "my-masks", images=SCENES, seed=9)
    (tmp_path / "photos").mkdir()
    for file in (tmp_path / "my-masks" / "images").glob("?????.png"):
        (tmp_path / "photos" / file.name).symlink_to(file)
    (tmp_path / "photo.jpg").symlink_to(tmp_path / "photos" / "00000.png")
    torch.manual_seed(1)
    words = dict(enumerate(("sky", "wall", "grass")))
    tiny.segformer(
        tmp_path / "segformer-b0", scale=30.0, id2label=words, label2id={word: key for key, word in words.items()}
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(block: str) -> list[list[str]]:
    """The commands of a block, with names that need no download."""
    local = block.replace("\\\n", " ").replace("hf/nvidia/segformer-b0-finetuned-ade-512-512", "hf/segformer-b0")
    return [shlex.split(line)[1:] for line in local.replace("resnet50", "scenes").strip().splitlines()]


def test_the_page_runs(place: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    (_, label, check, build, explain), (checked,) = commands(COMMANDS), commands(CHECKED)
    for command in (label, check, [*build, "--draws", "20"]):
        status, told, error = run(*command)
        assert status == 0, error
    assert "data are" not in told
    assert "with a concept of my-concepts (labels by segformer-b0, not checked)" in " ".join(told.split())
    status, told, error = run(*explain)
    assert status == 0, error
    said = "The neurons are named after labels by segformer-b0, not checked."
    assert said in " ".join(told.split())
    assert said in (place / "why" / "index.html").read_text()
    status, told, error = run(*checked)
    assert status == 0, error
    note: Any = json.loads((place / "checked-concepts" / "model-labels.json").read_text())
    assert note["checked"]["images"] == SCENES
    assert {one["name"] for one in note["checked"]["concepts"]} == {"sky", "wall", "grass"}
    assert f"checked: IoU .{round(100 * note['checked']['mean_iou']):02}." in told


def test_the_page_names_commands_that_there_are(run: Callable[..., tuple[int, str, str]]) -> None:
    status, told, _ = run("concepts", "label", "--help")
    assert status == 0
    for option in re.findall(r"`?(--[a-z-]+)", PROMPTED + CHECKED):
        assert option in told
