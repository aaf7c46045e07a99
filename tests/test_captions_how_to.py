"""The page about captions and questions runs as it stands there, on the demo's scenes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dissection.scenes.described.language import caption
from dissection.scenes.described.scene import draw_described

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "captions-and-questions.md").read_text()
SPEAKERS, IN_PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHIPPED, COMMANDS, MEASURED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A folder with the speakers' code, in which the demo may be read."""
    place = tmp_path_factory.mktemp("speakers")
    (place / "demo").symlink_to(demo / "demo")
    (place / "speakers.py").write_text(SPEAKERS)
    return place


def test_the_shipped_networks_are_explained(place, run, monkeypatch):
    monkeypatch.chdir(place)
    said = []
    for line in SHIPPED.strip().splitlines():
        status, told, error = run(*shlex.split(line)[1:])
        assert status == 0, error
        said.append(" ".join(told.split()))
    described = draw_described(2, 0)
    assert f"“{caption(described)}”" in said[0]
    assert "It would say “a” and “the” whatever the picture." in said[0]
    assert said[0].count("The network says") >= 4
    assert f"The network says {described.things[0].name} (" in said[1]
    assert "yes" in said[2]
    assert (place / "described" / "index.html").is_file()


def test_the_measurements_run(place, run, monkeypatch):
    monkeypatch.chdir(place)
    pointing, accuracy = map(shlex.split, MEASURED.strip().splitlines())
    for command, said in ((pointing, "Pointing of words, Sec. 8.1.1"), (accuracy, "guessed from the question")):
        status, told, error = run(*command[1:], "--limit", "4")
        assert status == 0, error
        assert said in " ".join(told.split())


def test_the_page_runs(place, run, monkeypatch):
    monkeypatch.chdir(place)
    build, words, other, indoors, where = map(shlex.split, COMMANDS.strip().splitlines())
    status, _, error = run(*build[1:], "--limit", "120", "--draws", "20")
    assert status == 0, error
    said = []
    for command in (words, other, indoors, where):
        status, told, error = run(*command[1:])
        assert status == 0, error
        said.append(" ".join(told.split()))
    assert "“this is a harbour”" in said[0]
    assert "It would say “this”, “is” and “a” whatever the picture." in said[0]
    assert "The network says harbour (" in said[0]
    assert (place / "words" / "index.html").is_file()
    assert "The network says harbour (" in said[1]
    assert "gives beach" in said[1]
    assert "The network says no (" in said[2]
    assert "The network says harbour (" in said[3]
    assert "gives beach" in said[3]
    _, told, _ = run(*other[1:4], "demo/scenes.db", "--network", "speakers.py:captioner", *other[5:])
    assert "The network says harbour (" in " ".join(told.split())
    done = subprocess.run(
        [sys.executable, "-c", f"from speakers import *\n{IN_PYTHON}"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "The network says harbour" in done.stdout
