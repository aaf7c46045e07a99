"""The page about dictionaries runs as it stands there, on the demo's scenes."""

import json
import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "dictionaries.md").read_text()
COMMANDS, DIRECTIONS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SMALL = ("--limit", "48", "--positions", "3000")


@pytest.fixture(scope="module")
def place(demo, tmp_path_factory):
    """A folder in which the demo may be read."""
    place = tmp_path_factory.mktemp("dictionaries")
    (place / "demo").symlink_to(demo / "demo")
    return place


def test_four_commands_learn_a_dictionary_and_explain_with_it(place, run, monkeypatch):
    monkeypatch.chdir(place)
    learn, check, build, explain = (shlex.split(line)[1:] for line in COMMANDS.strip().splitlines())
    status, told, error = run(*learn, *SMALL, "--steps", "200")
    assert status == 0, error
    assert "192 features of features.14 in features: NeuronExplain" in " ".join(told.split())
    assert not (place / "features.unfinished").exists()
    status, _, error = run(*learn, *SMALL)
    assert (status, "features already exists" in error) == (2, True)
    status, told, error = run(*check, "--limit", "20", "--json")
    assert status == 0, error
    (measured,) = json.loads(told)
    assert measured["r2"] > 0.8
    assert measured["agreement"] > 0.5
    status, told, error = run(*build, "--limit", "80", "--draws", "20")
    assert status == 0, error
    assert re.search(r"\d+ of 192 features of features.14 have a name", " ".join(told.split()))
    assert "The dictionary: NeuronExplain" in " ".join(error.split())
    status, told, error = run(*explain, "--among", "named")
    assert status == 0, error
    assert "feature " in told
    page = (place / "why" / "index.html").read_text()
    assert "The features behind this" in page
    assert "to first order" in page
    assert "TopK with 8 features at a place" in page
    assert "neuron " not in re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)


def test_a_dictionary_that_has_moved_is_named_again(place, run, monkeypatch):
    monkeypatch.chdir(place)
    explain = shlex.split(COMMANDS.strip().splitlines()[-1])[1:-2]
    (place / "features").rename(place / "moved")
    status, _, error = run(*explain)
    assert (status, error.count("\n")) == (2, 1)
    assert "features is no folder" in error
    status, told, error = run(*explain, "--dictionary", "moved", "--among", "named")
    assert status == 0, error
    assert "The network says" in told


def test_directions_of_concepts_are_learned(place, run, monkeypatch):
    monkeypatch.chdir(place)
    status, told, error = run(*shlex.split(DIRECTIONS)[1:], "--limit", "80", "--positions", "6000")
    assert status == 0, error
    assert re.search(r"directions of \d+ concepts, from", " ".join(told.split()))
    status, _, error = run(*shlex.split(DIRECTIONS)[1:], "--k", "3")
    assert (status, "--k would be ignored" in error) == (2, True)
