"""Several processes that work on one job agree, and end in order when one of them stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dissection.execution.ranks import Ranks, leave_word, local_device, ranks
from neuronexplain.cli import app

SCRIPT = str(Path(__file__).with_name("rank_script.py"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
TALK = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
KEPT = "databases and finished files are unchanged; a build or a conversion is resumed when it is started again"


def torchrun(processes: int, *words: object) -> subprocess.Popen[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.Popen([*launcher, SCRIPT, "act", *map(str, words)], **TALK, env=ENVIRONMENT)


def by_hand(processes: int, *words: object) -> list[subprocess.Popen[str]]:
    """Starts the ranks as torchrun does, but does not watch over them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, SCRIPT, "act", *map(str, words)],
            **TALK,
            env={**ENVIRONMENT, **place, "RANK": str(rank)},
        )
        for rank in range(processes)
    ]


def ours(error: str) -> list[str]:
    """The lines that NeuronExplain wrote; torchrun's summary repeats them further to the right, after its traceback."""
    assert error.count("Traceback") <= 1, error
    own = "|".join(("neuronexplain", "dissection", "db", "tests"))
    assert not re.search(rf'File "{re.escape(ENVIRONMENT["PYTHONPATH"])}/({own})/', error)
    return [line for line in error.splitlines() if line.startswith("neuronexplain: ")]


def statuses(error: str) -> list[int]:
    """Exit statuses in torchrun's summary."""
    return sorted(int(status) for status in re.findall(r"exitcode  : (-?\d+)", error))


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> tuple[Path, str, str]:
    """The folder that three ranks wrote to and their output; the last one fails at the end."""
    folder = tmp_path_factory.mktemp("ranks")
    return (folder, *torchrun(3, folder, "agree", "fail").communicate(timeout=60))


def test_ranks_agree_and_only_rank_0_talks(three):
    folder, out, err = three
    numbers = range(3)
    expected = {
        "count": 3,
        "sum": [[2**61 // 3 * 3 + sum(numbers)], [-sum(numbers)]],
        "largest": [2, 0],
        "smallest": 0,
        "flags": [True] * 3,
        "columns": (torch.arange(6).reshape(2, 3).T * 3).tolist(),
        "empty": [0, 3],
        "gather": [{"rank": number, "text": "x" * number} for number in numbers],
        "broadcast": "from 0",
        "ragged": [list(range(number)) for number in numbers],
        "nothing": [[] for _ in numbers],
    }
    assert [json.loads((folder / f"{number}.json").read_text()) for number in numbers] == [[expected] * 2] * 3
    devices = [(folder / f"{number}.device").read_text() for number in numbers]
    assert devices == [f"cuda:{number}cpu" for number in numbers]
    assert out == "out 0\n"
    assert all(f"{what} 0" in err and f"{what} 1" not in err for what in ("note", "warning", "bar"))


def test_a_process_alone_needs_nobody():
    tensor = torch.arange(3)
    with ranks() as group:
        assert group == Ranks(number=0, count=1)
        for method in (group.sum, group.largest, group.smallest):
            assert torch.equal(method(tensor), tensor)
        assert torch.equal(*group.gather_ragged(tensor), tensor)
        assert group.gather("x") == ["x"]
        assert group.broadcast("x") == "x"
    assert leave_word(ValueError())
    assert local_device("cuda") == "cuda"
    assert not torch.distributed.is_initialized()


def test_the_reason_of_the_rank_that_failed_is_told_once(three):
    folder, _, err = three
    reason = f"{folder / 'x.png'} is no mask"
    assert ours(err) == [f"neuronexplain: {reason}"]
    assert statuses(err) == [2, 2, 2]
    assert f"traceback : neuronexplain: another process stopped (rank 2 of 3: {reason}); {KEPT}" in err
    assert err.rindex("Root Cause") < err.rindex(f"traceback : neuronexplain: {reason}\n")


def test_a_rank_that_fails_before_the_others_found_it(tmp_path):
    first, last = by_hand(2, tmp_path, "early")
    assert last.communicate(timeout=60) == ("", "neuronexplain: nothing there\n")
    assert first.communicate(timeout=60) == ("", "")
    assert (first.returncode, last.returncode) == (2, 2)


def test_a_rank_that_is_killed_ends_the_others_at_once(tmp_path):
    _, err = torchrun(3, tmp_path, "killed").communicate(timeout=60)
    (line,) = ours(err)
    assert "another process was killed or ran out of memory" in line
    assert KEPT in line
    killed, *others = statuses(err)
    assert killed == -9
    assert set(others) <= {2, 143}, "torchrun kills what does not end in 30 seconds"


def test_the_end_of_a_rank_is_noticed_without_torchrun(tmp_path):
    first, last = by_hand(2, tmp_path, "killed")
    assert last.communicate(timeout=60)[1] == ""
    killed = time.monotonic()
    told = first.communicate(timeout=60)[1]
    assert time.monotonic() - killed < 5
    assert (
        told == f"neuronexplain: another process was killed or ran out of memory; start all processes again; {KEPT}\n"
    )
    assert (first.returncode, last.returncode) == (2, -signal.SIGKILL)


def test_torchrun_that_is_told_to_stop_stops_the_ranks_in_order(tmp_path):
    process = torchrun(2, tmp_path, "wait")
    while len(list(tmp_path.glob("*.here"))) < 2:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    stopped = time.monotonic()
    (line,) = ours(process.communicate(timeout=60)[1])
    assert time.monotonic() - stopped < 10
    assert line.startswith("neuronexplain: stopped by torchrun: ")


@pytest.fixture
def second_rank(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_a_command_that_is_typed_wrong_is_rank_0_s_to_tell(second_rank, monkeypatch, capfd):
    monkeypatch.setattr(app, "_COURTESY", 0)
    monkeypatch.setattr(sys, "argv", ["neuronexplain", "nonsense"])
    with pytest.raises(SystemExit, match="2"):
        app.main()
    assert capfd.readouterr() == ("", "")
