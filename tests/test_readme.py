"""The README's code runs: the demo from the command line, then the Python on what the demo wrote."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
import typer
from PIL import Image

from neuronexplain.cli.app import app

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder in which the demo has run."""
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
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
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


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """A folder with what a newcomer has: masks, a checkpoint, labels of its classes, and a photograph."""
    place = tmp_path_factory.mktemp("newcomer")
    classes = ("meadow", "street", "shore")
    torch.save(torchvision.models.resnet18(num_classes=len(classes)).state_dict(), place / "checkpoint.pt")
    (place / "labels.txt").write_text("\n".join(classes))
    (place / "my-masks" / "images").mkdir(parents=True)
    (place / "my-masks" / "masks").mkdir()
    (place / "my-masks" / "concepts.csv").write_text("number,name,category\n1,grass,object\n2,sky,object\n")
    generator = np.random.default_rng(0)
    for number in range(12):
        mask = np.where(np.arange(80)[:, None] < 20 + 3 * number, 2, generator.integers(0, 2, (80, 100)))
        colours = np.array([(90, 60, 40), (40, 160, 50), (120, 180, 250)], np.uint8)[mask]
        Image.fromarray(colours).save(place / "my-masks" / "images" / f"{number}.jpg")
        Image.fromarray(mask.astype(np.uint8)).save(place / "my-masks" / "masks" / f"{number}.png")
    Image.fromarray(colours).save(place / "photo.jpg")
    return place


def test_four_commands_lead_a_newcomer_to_a_sentence(newcomer):
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "checkpoint.pt" in block)
    lines = block.strip().splitlines()
    assert len(lines) == 4
    for line in lines:
        done = subprocess.run(
            f"{sys.executable} -m {line}", shell=True, cwd=newcomer, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "The network says" in done.stdout
    assert (newcomer / "why" / "index.html").exists()


def commands(group=None, before="neuronexplain"):
    """Every command's options, by the command's full name."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{before} {name}")
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield f"{before} {name}", {option for each in command.params for option in each.opts}


OPTIONS = dict(commands())


def test_every_option_the_readme_names_exists():
    assert set(re.findall(r"`(--[a-z-]+)", README)) <= set().union(*OPTIONS.values())


def test_every_command_line_in_the_readme_could_be_typed():
    blocks = re.findall(r"```sh\n(.*?)```", README.replace("\\\n", " "), re.DOTALL)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    typed = [line[line.index("neuronexplain ") :] for line in lines if "neuronexplain " in line]
    assert len(typed) > 15
    for line in typed:
        name = max((name for name in OPTIONS if f"{line} ".startswith(f"{name} ")), key=len)
        assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= OPTIONS[name], line
