"""The README's code runs: the demo from the command line, then the Python on what the demo wrote."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the demo was run."""
    place = tmp_path_factory.mktemp("readme")
    done = subprocess.run(
        [sys.executable, "-m", "neuronexplain", "demo", "--out", "demo"],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (place / "said.txt").write_text(done.stdout)
    return place


def test_the_demo_explains_queries_and_writes_a_page(place):
    said = (place / "said.txt").read_text()
    assert said.count("The network says") >= 6
    assert "What matters for beach" in said
    assert "demo/index.html" in said
    assert (place / "demo" / "index.html").read_text().count("<img") > 50
    named, units = map(int, re.search(r"(\d+) of (\d+) neurons", said).groups())
    assert named > units / 2


def test_the_python_runs(place):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The network says harbour" in done.stdout


def test_the_queries_run_on_the_demos_database(place):
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "concepts of" in block)
    for line in block.strip().splitlines():
        command = line.partition("#")[0].replace("names.db", "demo/scenes.db")
        command = command.replace('"mountain bike"', "mountain").replace("bicycle", "mountain")
        done = subprocess.run(
            f"{sys.executable} -m {command}", shell=True, cwd=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_every_option_the_readme_names_exists():
    words = set(re.findall(r"`(--[a-z-]+)", README))
    environment = {**os.environ, "COLUMNS": "200"}
    texts = [
        subprocess.run(
            [sys.executable, "-m", "neuronexplain", *command.split(), "--help"],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
        for command in ("build", "explain", "units", "concepts check")
    ]
    assert not {word for word in words if not any(word in text for text in texts)}
