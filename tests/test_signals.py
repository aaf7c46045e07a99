"""Ctrl-C and SIGTERM end a command in one line, whenever they come."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from torch.distributed import TCPStore

from neuronexplain.cli import app, console, failures, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}
in_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def started(words: Sequence[object], **variables: str) -> subprocess.Popen[str]:
    """A command that has just begun to listen: almost nothing is imported."""
    line = [sys.executable, "-m", "neuronexplain", *map(str, words)]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env={**ENVIRONMENT, **variables})
    while not is_caught(process, signal.SIGTERM):
        assert process.poll() is None
        time.sleep(0.0005)
    return process


def is_caught(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (number - 1) & 1)


@in_proc
@pytest.mark.parametrize(
    ("number", "delay"),
    [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGTERM, 0.05), (signal.SIGINT, 0.3), (signal.SIGTERM, 1.2)],
)
def test_a_signal_while_the_command_line_starts_up_is_one_line(
    tmp_path: Path, number: signal.Signals, delay: float
) -> None:
    words = ["build", "--network", "resnet18", "--concepts", "absent", "--db", tmp_path / "names.db"]
    process = started(words)
    time.sleep(delay)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    if process.returncode == 2:  # it was faster
        assert "absent" in told
    else:
        assert process.returncode == STATUSES[number], told
        assert told.startswith("neuronexplain: ")
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@in_proc
@pytest.mark.parametrize("delay", [0, 0.4, 1.5])
def test_of_ranks_that_are_stopped_while_they_start_up_one_says_so(tmp_path: Path, delay: float) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=60), wait_for_workers=False)
    place = {"WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    place["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    words = ["build", "--network", "resnet18", "--concepts", "absent", "--db", tmp_path / "names.db"]
    processes = [started(words, RANK=str(rank), **place) for rank in (1, 2)]  # rank 0 was killed
    time.sleep(delay)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=60)[1] for process in processes]
    assert {process.returncode for process in processes} in ({143}, {2, 143}), told  # 2: told by the other one
    (line,) = filter(None, told)
    assert line.startswith("neuronexplain: stopped by torchrun: another process was killed or ran out of memory")
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_almost_nothing_is_imported_before_signals_are_held() -> None:
    code = "import neuronexplain.cli.signals, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    ours = {name for name in done.stdout.split() if name.split(".")[0] in {"neuronexplain", "dissection", "db"}}
    assert ours == {"neuronexplain", "neuronexplain.cli", "neuronexplain.cli.signals"}
    assert not {"typer", "typing", "inspect", "pathlib"} & set(done.stdout.split()) - baseline()


def baseline() -> set[str]:
    """What the interpreter imports by itself."""
    code = "import sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def run_program(tmp_path: Path, program: str, **variables: str) -> tuple[int, str, str]:
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        capture_output=True,
        text=True,
        check=False,
        env={**ENVIRONMENT, **variables},
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


ENDING = """
except signals.StoppedError as error:
    signals.is_ending = True
    sys.exit(failures.tell(error))
"""


def test_an_import_is_finished_before_a_signal_is_heard(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import signal, time\n"
        "signal.raise_signal(signal.SIGTERM)\n"
        "try:\n    import nonsense\nexcept ImportError:\n    signal.raise_signal(signal.SIGTERM)\n"
        "time.sleep(0.2)\nprint('imported')\n"
    )
    program = f"""
import sys, time
from neuronexplain.cli import failures, signals
signals.listen()
try:
    import slow
    time.sleep(20)
    print("not stopped")
{ENDING}"""
    status, out, error = run_program(tmp_path, program)
    assert (status, out) == (143, "imported\n")
    assert error.startswith("neuronexplain: stopped by SIGTERM")


def test_a_command_line_that_runs_inside_an_import_hears_signals(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text(f"""
import signal, sys, time
from neuronexplain.cli import failures, signals
signals.listen()
try:
    signal.raise_signal(signal.SIGTERM)
    time.sleep(20)
{ENDING}""")
    assert run_program(tmp_path, "import inner\n")[0] == 143


def test_a_signal_during_a_callback_is_not_lost(tmp_path: Path) -> None:
    program = f"""
import signal, sys, time, weakref
from neuronexplain.cli import failures, signals
signals.listen()
class Thing: pass
thing = Thing()
reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
try:
    del thing
    time.sleep(20)
{ENDING}"""
    status, _, error = run_program(tmp_path, program)
    assert (status, "ignored" in error) == (143, False), error


def test_a_signal_that_was_held_is_raised_on_listening(tmp_path: Path) -> None:
    program = f"""
import signal, sys
from neuronexplain.cli import failures, signals
signals.hold()
signal.raise_signal(signal.SIGINT)
try:
    signals.listen()
{ENDING}"""
    assert run_program(tmp_path, program)[0] == 130


def test_more_signals_while_the_first_is_told_add_nothing(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
from neuronexplain.cli import failures, signals
class Stderr:
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)
        sys.__stderr__.write(text)
    def flush(self):
        pass
sys.stderr = Stderr()
signals.listen()
try:
    signal.raise_signal(signal.SIGINT)
{ENDING}"""
    status, _, error = run_program(tmp_path, program)
    assert (status, error.count("\n"), "Traceback" in error) == (130, 1, False), error


def test_a_signal_adds_nothing_to_an_error_of_a_rank_that_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    repeated: list[int] = []
    monkeypatch.setattr(signals, "_repeat", repeated.append)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(signals.StoppedError, match="SIGTERM"):
        signals._stop(signal.SIGTERM, None)

    def fail() -> None:
        try:
            raise ValueError("on its way")
        finally:
            signals._stop(signal.SIGTERM, None)

    with pytest.raises(ValueError, match="on its way"):
        fail()
    assert repeated == [signal.SIGTERM]


def test_no_library_logs_that_the_command_was_stopped(capfd: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("some.library")
    log.propagate, log.handlers = False, []  # pytest's own handlers are elsewhere
    console.pass_over_logs_of_signals()
    for error in (signals.StoppedError(signal.SIGTERM), OSError("the disk is full")):
        log.error("Exception while a connection was closed", exc_info=error)
    told = capfd.readouterr().err
    assert "the disk is full" in told
    assert "StoppedError" not in told
    assert told.count("Exception while") == 1


@pytest.mark.parametrize("place", ["failures._outcome", "app._status", "signals.ignore"])
@pytest.mark.parametrize("number", STATUSES)
def test_a_signal_while_an_error_is_told_changes_nothing(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, place: str, number: signal.Signals
) -> None:
    usual = {"failures._outcome": failures._outcome, "app._status": app._status, "signals.ignore": signals.ignore}[
        place
    ]

    def struck(*arguments: object) -> object:
        signal.raise_signal(number)
        return usual(*arguments)

    monkeypatch.setattr(f"neuronexplain.cli.{place}", struck)
    status, _, told = run("units", "--db", "absent.db")
    assert status == 2
    assert told.startswith("neuronexplain: ")
    assert told.count("\n") == 1
