"""The README's code runs: the demo from the command line, then the Python on what the demo wrote."""

import re
import shlex
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


@pytest.fixture
def place(demo, tmp_path, monkeypatch):
    """The current folder, in which the demo may be read."""
    (tmp_path / "demo").symlink_to(demo / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_explains_queries_and_writes_a_page(demo):
    said = (demo / "said.txt").read_text()
    assert said.count("The network says") >= 6
    assert "What matters for beach" in said
    assert "demo/index.html" in said
    assert (demo / "demo" / "index.html").read_text().count("<img") > 50
    assert "“a white bench and a purple umbrella on the beach”" in said
    assert "what colour is the bench? The network says white (" in said
    named, units = map(int, re.search(r"(\d+) of (\d+) neurons", said).groups())
    assert named > units / 2


def test_the_python_runs(place):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "The network says harbour" in done.stdout


def test_the_queries_run_on_the_demos_database(place, run):
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "concepts of" in block)
    for line in block.strip().splitlines():
        command = line.partition("#")[0].replace("names.db", "demo/scenes.db")
        command = command.replace('"mountain bike"', "mountain").replace("bicycle", "mountain")
        status, told, error = run(*shlex.split(command)[1:])
        assert status == 0, error
        assert told.strip()


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    """The current folder, with what a newcomer has: masks, a checkpoint, labels of its classes, and a photograph."""
    monkeypatch.chdir(tmp_path)
    classes = ("meadow", "street", "shore")
    torch.save(torchvision.models.resnet18(num_classes=len(classes)).state_dict(), tmp_path / "checkpoint.pt")
    (tmp_path / "labels.txt").write_text("\n".join(classes))
    (tmp_path / "my-masks" / "images").mkdir(parents=True)
    (tmp_path / "my-masks" / "masks").mkdir()
    (tmp_path / "my-masks" / "concepts.csv").write_text("number,name,category\n1,grass,object\n2,sky,object\n")
    generator = np.random.default_rng(0)
    for number in range(12):
        mask = np.where(np.arange(80)[:, None] < 20 + 3 * number, 2, generator.integers(0, 2, (80, 100)))
        colours = np.array([(90, 60, 40), (40, 160, 50), (120, 180, 250)], np.uint8)[mask]
        Image.fromarray(colours).save(tmp_path / "my-masks" / "images" / f"{number}.jpg")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "my-masks" / "masks" / f"{number}.png")
    Image.fromarray(colours).save(tmp_path / "photo.jpg")
    return tmp_path


def test_four_commands_lead_a_newcomer_to_a_sentence(newcomer, run):
    block = next(block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "checkpoint.pt" in block)
    lines = block.strip().splitlines()
    assert len(lines) == 4
    for line in lines:
        status, told, error = run(*shlex.split(line, comments=True)[1:])
        assert status == 0, error
    assert "The network says" in told
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
