"""Builds that are killed at any moment, alone and as one of several ranks, end in the same store."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worlds import colour_network, write_colour_folder

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.plain_layout import PlainLayout
from neuronexplain import Execution, build, open_concepts, open_network

TESTS = Path(__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
IMAGES = 240
KILLS = 25


def content(database):
    """Everything in a store except the times of writing."""
    with NameStore.open(database) as store:
        (run,) = store.runs()
        importances = [store.importance(run, index) for index in range(4)]
        return (
            run.key,
            store.dissection(run),
            [(each.images, *map(as_list, (*each.means, *each.statistics))) for each in importances],
            [store.picture(run, image) for image in range(IMAGES)],
        )


def as_list(array):
    return array.tolist()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The squares, and a store that was built from them in one go."""
    folder = tmp_path_factory.mktemp("world")
    write_colour_folder(folder / "squares", images=IMAGES)
    with NameStore.create(folder / "reference.db") as store:
        build(colour_network(), PlainLayout(folder / "squares", label_size=32), store)
    return folder


def test_a_build_that_is_killed_at_random_moments_ends_in_the_same_store(folder):
    command = [sys.executable, TESTS / "kill_script.py", folder, str(KILLS), "0"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    kills, databases = map(int, done.stdout.split())
    assert kills >= KILLS
    for number in range(databases):
        assert content(folder / f"{number}.db") == content(folder / "reference.db")
    assert not (folder / "unfinished").exists()
    looks = len(re.findall("looking", (folder / "log").read_text()))
    assert looks <= databases * IMAGES / 2 + kills * 20  # what is lost is what came after the last checkpoint


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Generated scenes, and a store built from them by one process."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder / "scenes", images=60)
    network, concepts = open_network("scenes"), open_concepts(folder / "scenes")
    build(network, concepts, folder / "1.db", quantile=0.01, execution=Execution(batch_size=4))
    return folder


def ranks(count, folder, database):
    words = ["build", "--network", "scenes", "--concepts", folder / "scenes", "--quantile", "0.01", "--batch-size", "4"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    command = [*launcher, "-m", "neuronexplain", *words, "--db", folder / database]
    return subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _store(database):
    with NameStore.open(database) as store:
        (run,) = store.runs()
        importances = [store.importance(run, index) for index in store.class_images(run)]
        return (
            run.key,
            store.dissection(run),
            [(i.index, *map(as_list, (*i.means, *i.statistics))) for i in importances],
        )


def test_a_rank_that_is_killed_ends_the_others_and_the_build_goes_on_to_the_same_store(scenes):
    process = ranks(2, scenes, "killed.db")
    unfinished = scenes / "killed.db.unfinished"
    deadline = time.monotonic() + 60
    while not list(unfinished.rglob("*.cells")) and time.monotonic() < deadline:
        time.sleep(0.02)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 40
    told = [line for line in err.splitlines() if line.startswith("neuronexplain: ")]
    assert len(told) == 1, err
    assert "a build or a conversion is resumed when it is started again" in told[0]
    assert not (scenes / "killed.db").exists()
    assert unfinished.exists()
    process = ranks(2, scenes, "killed.db")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.count("Stored as run 1") == 1
    assert _store(scenes / "killed.db") == _store(scenes / "1.db")
    assert not unfinished.exists()
