"""What all tests share."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
import typer.main
from browser import chromium, open_page
from filelock import FileLock
from hypothesis import settings
from shapes import check_annotations

check_annotations("neuronexplain", "dissection", "db")

from neuronexplain.cli import signals  # noqa: E402 -- what is imported from here on is checked
from neuronexplain.cli.app import main  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

__all__ = ["chromium", "open_page"]  # fixtures


settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of the code
settings.load_profile("any machine")

typer.main.get_command = cache(typer.main.get_command)  # commands made anew for every call would cost minutes in all


signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job ignores it, and so would its children
if "PYTEST_XDIST_WORKER" not in os.environ:  # all processes have one: what one of them builds, others open
    os.environ["XDG_STATE_HOME"] = mkdtemp(prefix="neuronexplain-state-")  # not the user's own


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector pass over what tests import, and look less often: it would take a tenth of the time."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()
    return collected


@pytest.fixture(autouse=True)
def _signals_of_tests() -> Iterator[None]:
    """What a command does about signals ends with the test: processes that others start would inherit it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signals.is_ending = False


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; gives status, standard output and standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["neuronexplain", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return call


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Fills a folder once for all processes that run tests, by the name of what is in it. No test writes to it."""
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        with FileLock(place / f"{name}.lock"):
            if not (place / name).exists():
                unfinished = Path(mkdtemp(dir=place))
                fill(unfinished)
                unfinished.rename(place / name)
        return place / name

    return folder


@pytest.fixture(scope="session")
def demo(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A folder in which the demo has run, and what it said."""

    def play(folder: Path) -> None:
        words = [sys.executable, "-m", "neuronexplain", "demo", "--out", "demo"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "said.txt").write_text(done.stdout)

    return made_once("demo", play)
