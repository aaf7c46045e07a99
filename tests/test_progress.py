"""Bars are shown where a person watches, and nothing is written where nobody does."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import types
from contextlib import redirect_stderr, suppress
from pathlib import Path

import pytest
from shapes import unchecked
from worlds import colour_concepts, colour_network, colour_square

import neuronexplain as api
from dissection.execution.ranks import Ranks
from dissection.execution.settings import Execution
from neuronexplain import progress

QUICK = {"min_images": 1, "draws": 0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal():
    """Standard error as a terminal, inside ``with`` alone: pytest puts its own in place when a test begins."""
    return redirect_stderr(Terminal())


class Kernel:
    """What IPython offers in a notebook, as far as bars need it; keeps what a cell shows."""

    def __init__(self) -> None:
        self.kernel = object()
        self.shown: list[str] = []
        self.updates = 0

    def module(self) -> types.ModuleType:
        module = types.ModuleType("IPython")
        module.get_ipython = lambda: self
        display = types.ModuleType("IPython.display")
        display.HTML = str
        display.display = self.display
        module.display = display
        return module

    def display(self, picture: str, *, display_id: bool):
        assert display_id
        self.shown.append(picture)
        return self

    def update(self, picture: str) -> None:
        self.updates += 1
        self.shown[-1] = picture


@pytest.fixture
def notebook(monkeypatch):
    kernel = Kernel()
    module = kernel.module()
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", module.display)
    return kernel


def build(tmp_path: Path, **settings: object) -> None:
    execution = Execution(batch_size=4, **settings)
    api.build(colour_network(), colour_concepts(8), tmp_path / "names.db", execution=execution, **QUICK)


def explain(tmp_path: Path, **settings: object) -> None:
    images = [colour_square("red"), colour_square("blue")]
    api.explain(images, colour_network(), tmp_path / "names.db", **settings)


def test_a_terminal_shows_bars(terminal, tmp_path):
    with terminal as screen:
        build(tmp_path)
        assert "looking at the photographs" in screen.getvalue()
        assert "8/8" in screen.getvalue()
        explain(tmp_path)
        assert "explaining" in screen.getvalue()
        before = screen.getvalue()
        api.dissect(colour_network(), colour_concepts(8), min_images=1)
        assert len(screen.getvalue()) > len(before)


def test_bars_can_be_turned_off(terminal, tmp_path):
    with terminal as screen:
        build(tmp_path, progress=False)
        explain(tmp_path, progress=False)
        api.explain(colour_square("red"), colour_network(), tmp_path / "names.db")  # one photograph needs no bar
        assert screen.getvalue() == ""


def test_programs_are_silent(capfd, tmp_path):
    build(tmp_path)
    explain(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_programs_stay_silent_where_colours_are_forced(tmp_path):
    """Only a terminal or a notebook has somebody who watches."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_progress import build\nfrom pathlib import Path\n"
        f"build(Path({str(tmp_path)!r}))"
    )
    environment = os.environ | {"FORCE_COLOR": "1", "TTY_INTERACTIVE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")


def test_bars_can_be_turned_on(capfd, tmp_path):
    build(tmp_path, progress=True)
    assert "looking at the photographs" in capfd.readouterr().err
    explain(tmp_path, progress=True)
    assert "explaining" in capfd.readouterr().err


def test_a_callable_is_called_instead(terminal, tmp_path):
    with terminal as screen:
        reports = []
        build(tmp_path, progress=lambda *report: reports.append(report))
        assert ("looking at the photographs", 8, 8) in reports
        explain(tmp_path, progress=lambda *report: reports.append(report))
        assert reports[-2:] == [("explaining", 1, 2), ("explaining", 2, 2)]
        assert screen.getvalue() == ""


def test_a_notebook_shows_one_picture_that_changes(notebook, capfd, tmp_path):
    build(tmp_path)
    (picture,) = notebook.shown
    assert notebook.updates
    assert "looking at the photographs" in picture
    assert "8/8" in picture
    assert "color:inherit" in picture
    assert capfd.readouterr() == ("", "")


def test_ipython_without_a_kernel_is_no_notebook(notebook):
    assert progress.is_watched()
    del notebook.kernel
    assert not progress.is_watched()


def test_nobody_watches_where_there_is_no_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not progress.is_watched()


def test_names_of_stages_cannot_steer(terminal):
    with terminal as screen:
        with progress.watched(True) as report:
            report("sky\x1b]52;c;Zm9v\x07", 1, 2)
        assert "\x1b]52" not in screen.getvalue()


def test_bars_end_with_an_exception(terminal):
    with terminal as screen:

        def interrupted() -> None:
            with progress.watched(None) as report:
                report("counting", 1, 2)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert screen.getvalue().endswith(("\n", "\x1b[?25h"))  # the cursor is shown again


def test_only_rank_0_shows_bars(terminal):
    with terminal as screen:
        with progress.watched_execution(Execution(ranks=Ranks(number=1, count=2))) as execution:
            execution.report("counting", 1, 2)
        assert screen.getvalue() == ""


def test_a_person_at_a_real_terminal_sees_bars(tmp_path):
    main, side = pty.openpty()
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_progress import build\nfrom pathlib import Path\n"
        f"build(Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=side, stdout=subprocess.PIPE) as process:
        os.close(side)
        told = b""
        with suppress(OSError):  # Linux's way to say that the other end is closed
            while part := os.read(main, 4096):
                told += part
        os.close(main)
        assert process.stdout.read() == b""
    assert process.returncode == 0
    assert b"looking at the photographs" in told


def test_what_is_no_choice_is_a_type_error():
    with unchecked(), pytest.raises(TypeError, match=r"^progress is a str \('no'\)"), progress.watched("no"):
        pass
