"""A store waits for other processes' locks, and hears signals while it does."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from alarms import StopError, stopping
from sharing_cases import publish, small

from db import NameStore, StoreError, locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    with NameStore.create(tmp_path / "names.db") as store:
        publish(store, small())
    return tmp_path / "names.db"


@contextmanager
def held(path: Path, *statements: str) -> Iterator[sqlite3.Connection]:
    """Another connection in the middle of a transaction."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
        yield connection
    finally:
        connection.close()


WRITING, READING = ("BEGIN EXCLUSIVE",), ("BEGIN", "SELECT * FROM meta")


def read(path: Path) -> None:
    with NameStore.open(path) as store:
        store.runs()


def write(path: Path) -> None:
    with NameStore.create(path) as store:
        publish(store, small(network="other"))


WAITS = {"reader": (WRITING, read), "writer": (WRITING, write), "end of writing": (READING, write)}


@pytest.mark.parametrize("wait", WAITS)
def test_a_signal_ends_a_wait_at_once(names: Path, wait: str) -> None:
    statements, act = WAITS[wait]
    with held(names, *statements):
        start = time.monotonic()
        with pytest.raises(StopError), stopping(0.3):
            act(names)
        assert 0.2 < time.monotonic() - start < 20
    with NameStore.open(names) as store:
        assert len(store.runs()) == 1
    write(names)


@pytest.mark.parametrize("wait", WAITS)
def test_it_goes_on_when_the_other_is_done(names: Path, wait: str) -> None:
    statements, act = WAITS[wait]
    with held(names, *statements) as connection:
        timer = threading.Timer(0.3, lambda: connection.execute("COMMIT"))
        timer.start()
        act(names)
        timer.join()
        assert not connection.in_transaction


@pytest.mark.parametrize("wait", WAITS)
def test_patience_ends(names: Path, wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statements, act = WAITS[wait]
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    with held(names, *statements), pytest.raises(StoreError, match="another process is writing to it"):
        act(names)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_command_line_ends_in_one_line(names: Path, number: signal.Signals, status: int) -> None:
    code = (
        "import sys, threading, os, time\n"
        "from db import locks\n"
        "sleep = time.sleep\n"
        "locks.time.sleep = lambda seconds: (print('waits', flush=True), sleep(seconds))\n"
        "from neuronexplain.cli.app import main\n"
        "main()\n"
    )
    words = [sys.executable, "-c", code, "runs", "--db", str(names)]
    with held(names, *WRITING):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert errors.startswith("neuronexplain: ")
    assert errors.count("\n") == 1
