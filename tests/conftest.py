"""What tests of the command line share."""

from __future__ import annotations

import os
import signal
import sys
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from shapes import check_annotations

check_annotations("neuronexplain", "dissection", "db")

from neuronexplain.cli import signals  # noqa: E402 -- what is imported from here on is checked
from neuronexplain.cli.app import main  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing of the code
settings.load_profile("any machine")


signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job ignores it, and so would its children
os.environ["XDG_STATE_HOME"] = mkdtemp(prefix="neuronexplain-state-")  # of subprocesses too; not the user's own


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
