"""Runs what stands on a page, from top to bottom, as a reader would."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import command_lines
import pages
import requests
import uvicorn
import yaml
from pages import ROOT, Block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pytest

    Run = Callable[..., tuple[int, str, str]]

_PORT = "127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command, or a block of Python, wrote to standard output and standard error."""

    source: str
    out: str
    err: str = ""

    @property
    def text(self) -> str:
        return _plain(f"{self.out}\n{self.err}")


@dataclass(frozen=True, slots=True)
class Changes:
    """Where a test does something else than the page says; the start of a command names it.

    Attributes:
        smaller: options that are added, so that it takes seconds; the last of an option counts.
        instead: words that take the place of others, such as a model that needs a download.
        before: what is done first, as a reader would by hand.
        status: the exit status of a command that does not end with 0.
        skipped: why a command is not run; that it could be typed is checked all the same.
    """

    smaller: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    status: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Mapping[str, Any], line: str, default: Any = None) -> Any:
        """What is said of a command: by the longest start of it."""
        starts = [start for start in kind if line.startswith(start)]
        return kind[max(starts, key=len)] if starts else default

    def starts(self) -> set[str]:
        """Every start of a command that is named; each must be on the page."""
        return {start for kind in (self.smaller, self.before, self.status, self.skipped) for start in kind}


class Walker:
    """Walks through a page in the current folder, and keeps what is printed."""

    def __init__(
        self,
        folder: Path,
        changes: Changes,
        *,
        play_demo: Callable[[], str],
        run: Run,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.folder, self.changes = folder, changes
        self.pages: list[str] = []
        self.printed: list[Printed] = []
        self.run, self._capsys, self._monkeypatch = run, capsys, monkeypatch
        self._play_demo = play_demo
        self._names: dict[str, object] = {"__name__": "__main__"}  # what Python on the page knows
        self._requests: list[str] = []  # what the page asks of a server

    def walk(self, page: str) -> None:
        """Run every block of a page."""
        self.pages.append(page)
        typed = [line for block in pages.blocks(page) if block.language == "sh" for line in block.commands]
        self._requests = [line for line in typed if line.startswith("curl ")] or [f"curl http://{_PORT}"]
        before = 0
        for block in pages.blocks(page):
            if block.language == pages.PRINTED:
                compare(block, self.printed[before:])
                continue
            before = len(self.printed)
            if block.title:
                (self.folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.title).write_text(block.text)
            elif block.language == "sh":
                self._type(block.commands)
            elif block.language == "python":
                self._execute(block)
            self._read(block)

    def said(self, start: str) -> Printed:
        """What the command that starts so printed."""
        (printed,) = (one for one in self.printed if one.source.startswith(start))
        return printed

    def _read(self, block: Block) -> None:
        """Data say what their language says."""
        match block.language:
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "yaml":
                for line in _commands_in(yaml.safe_load(block.text)):
                    command_lines.check(line)
            case "csv":
                widths = {len(line.split(",")) for line in block.text.splitlines()}
                assert len(widths) == 1, f"{block.where}: lines of several lengths"
            case language:
                assert language in {"sh", "python"} | pages.PICTURES, f"{block.where}: what is {language}?"

    def _type(self, lines: list[str]) -> None:
        for line in lines:
            skipped = self.changes.of(self.changes.skipped, line)
            if skipped is not None:
                command_lines.check(line)
                continue
            prepare = self.changes.of(self.changes.before, line)
            if prepare is not None:
                prepare(self.folder)
            for word, other in self.changes.instead.items():
                line = line.replace(word, other)  # noqa: PLW2901
            words = shlex.split(f"{line} {self.changes.of(self.changes.smaller, line, '')}")
            status = self.changes.of(self.changes.status, line, 0)
            self.printed.append(self._started(line, words, status))

    def _started(self, line: str, words: list[str], expected: int) -> Printed:
        if words[0] == "curl":
            return next(one for one in self.printed if one.source == line)  # the server was asked while it was up
        if words[:2] == ["neuronexplain", "demo"]:
            assert words[2:] == ["--out", "demo"], f"{line}: the demo is made once for all tests, in the folder demo"
            return Printed(line, self._play_demo())
        if words[0] == "neuronexplain":
            serves = "serve" in words[1:3]
            status, out, err = self.run(*words[1:], *(["--port", "0"] if serves else []))
            assert not serves or self.printed[-1].source in self._requests, f"{line}: nothing was served\n{err}"
        else:
            done = self._subprocess(words)
            status, out, err = done.returncode, done.stdout, done.stderr
        assert status == expected, f"{line}\n{out}\n{err}"
        return Printed(line, out, err)

    def _subprocess(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        assert words[0] in command_lines.SHELL | {"python"}, f"nobody knows how to run {shlex.join(words)}"
        words = [sys.executable, *words[1:]] if words[0] == "python" else words
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, cwd=self.folder)

    def _execute(self, block: Block) -> None:
        self._capsys.readouterr()
        code = compile("\n" * (block.line - 1) + block.text, block.page, "exec")
        exec(code, self._names)
        captured = self._capsys.readouterr()
        self.printed.append(Printed(block.where, captured.out, captured.err))

    def ask_servers(self) -> None:
        """Let whatever is served answer what the page asks it, or else show its first page, and then stop.

        A page that would be opened in a browser is not.
        """
        self._monkeypatch.setattr("webbrowser.open", lambda _: True)
        start = uvicorn.Server.run

        def run(server: uvicorn.Server, sockets: list[Any]) -> None:
            thread = threading.Thread(target=start, args=(server,), kwargs={"sockets": sockets})
            thread.start()
            try:
                while not server.started:
                    assert thread.is_alive()
                    time.sleep(0.01)
                host, port = sockets[0].getsockname()[:2]
                for line in self._requests:
                    self.printed.append(self._asked(line, f"{host}:{port}"))
            finally:
                server.should_exit = True
                thread.join()

        self._monkeypatch.setattr(uvicorn.Server, "run", run)

    def _asked(self, line: str, address: str) -> Printed:
        """What a server answers to ``curl``, of which files and fields of a form are understood."""
        words = shlex.split(line.replace(_PORT, address))[1:]
        earlier = re.findall(r'"id": ?"([^"]+)"', "".join(one.out for one in self.printed))
        url = words[-1].replace("ID", earlier[-1]) if words[-1].endswith("/ID") else words[-1]
        form: dict[str, Any] = {}
        for flag, value in zip(words[:-1:2], words[1::2], strict=True):
            assert flag == "-F", f"nobody knows what {flag} asks: {line}"
            name, _, content = value.partition("=")
            form[name] = (
                (content[1:], (self.folder / content[1:]).read_bytes()) if content[0] == "@" else (None, content)
            )
        answer = requests.post(url, files=form, timeout=60) if form else requests.get(url, timeout=60)
        assert answer.ok, f"{line}\n{answer.text}"
        return Printed(line, answer.text)


def compare(block: Block, printed: Sequence[Printed]) -> None:
    """Check that what a page shows is what the block above it printed; an ellipsis stands for anything.

    Raises:
        AssertionError: if it is not.
    """
    assert printed, f"{block.where}: nothing is run above what is printed"
    lines = [_plain(line) for line in block.text.splitlines() if line.strip()]
    pattern = r"\s+".join(".*?".join(map(re.escape, line.split("…"))) for line in lines)
    text = "\n".join(one.text for one in printed)
    assert re.search(pattern, text, re.DOTALL), f"{block.where} shows what is not printed; this is:\n" + "\n".join(
        f"{one.out}\n{one.err}" for one in printed
    )


def _plain(text: str) -> str:
    """Text without what depends on the width of a screen."""
    return re.sub("─+", "─", " ".join(text.split()))


def _commands_in(data: Any) -> list[str]:
    """The commands of ours that a workflow runs."""
    if isinstance(data, dict):
        lines = data["run"].splitlines() if isinstance(data.get("run"), str) else []
        return [line for line in lines if line.split()[0] in {"neuronexplain", "pip"}] + [
            line for value in data.values() for line in _commands_in(value)
        ]
    return [line for value in data for line in _commands_in(value)] if isinstance(data, list) else []
