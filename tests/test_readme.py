"""The README's code runs: the demo from the command line, then the Python on what the demo wrote."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import command_lines
import pages
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture
def place(demo, tmp_path, monkeypatch):
    """The current folder, in which the demo may be read; its names are in ``names.db`` already."""
    (tmp_path / "demo").symlink_to(demo / "demo")
    shutil.copy(demo / "demo" / "scenes.db", tmp_path / "names.db")
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


def test_its_four_commands_are_those_of_the_page_on_networks_of_ones_own():
    """Which runs in `test_documentation.py`."""
    (four,) = (block.commands for block in pages.blocks("README.md") if "checkpoint.pt" in block.text)
    assert len(four) == 4
    (of_page, *_) = (block.commands for block in pages.blocks("docs/how-to/own-network.md") if block.language == "sh")
    assert four == of_page


def test_every_command_line_could_be_typed():
    lines = [line for block in pages.blocks("README.md") if block.language == "sh" for line in block.commands]
    typed = [line[line.index("neuronexplain ") :] for line in lines if "neuronexplain " in line]
    assert len(typed) > 15
    for line in typed:
        if not line.endswith("..."):  # the second of two machines
            command_lines.check(line)
