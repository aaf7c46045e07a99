"""Every page can be followed: its commands and its Python run as they stand, and print what it shows.

A page is run from top to bottom in a folder that holds what its readers have at hand (`page_walks.WALKS`):

- ``sh``: command lines, which run in this process. Those that cannot run in a test are listed with the reason; that
  they could be typed is checked all the same.
- ``python``: runs, with the names that were made above it on the page.
- ``console``: what the block above printed. An ellipsis (…) stands for anything.
- any language with ``title="FILE"``: is kept in that file. ``csv``, ``json``, ``toml`` and ``yaml`` must be such.
- ``text``, or no language: for the eye.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import command_lines
import pages
import pytest
from page_walker import Walker
from page_walks import WALKS
from page_worlds import Origins

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TYPED = [page for page in pages.PAGES if any(block.language in pages.RUN for block in pages.blocks(page))]
FOREIGN = {"--nproc-per-node", "--node-rank", "--no-python"}
"""Options of torchrun that sentences speak of."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, from which Python imports what a page keeps there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("page", [page for page in TYPED if not WALKS.get(page) or not WALKS[page].elsewhere])
def test_a_page_can_be_followed(
    page: str,
    place: Path,
    request: pytest.FixtureRequest,
    made_once: Callable[..., Path],
    run: Callable[..., tuple[int, str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert page in WALKS, f"{page} has something to type; say in tests/page_walks.py in which world it begins"
    walk = WALKS[page]
    for package in walk.needs:
        pytest.importorskip(package)
    walk.world(place, Origins(lambda: request.getfixturevalue("demo"), made_once))
    walker = Walker(place, {}, walk.changes, run=run, capsys=capsys, monkeypatch=monkeypatch)
    walker.ask_servers()
    walker.walk(page)
    if walk.check:
        walk.check(walker)


def test_what_is_said_of_pages_is_of_pages_that_there_are() -> None:
    assert set(WALKS) <= set(TYPED)
    for page, walk in WALKS.items():
        lines = [line for block in pages.blocks(page) if block.language == "sh" for line in block.commands]
        for start in walk.changes.starts():
            assert any(line.startswith(start) for line in lines), f"{page}: no command begins with {start}"
        if walk.elsewhere:
            assert (pages.ROOT / walk.elsewhere.partition(",")[0]).is_file()


@pytest.mark.parametrize("page", pages.PAGES)
def test_every_option_that_a_page_names_exists(page: str) -> None:
    known = frozenset().union(*command_lines.commands().values()) | command_lines.options_of_scripts() | FOREIGN
    for span in pages.spans(page):
        words = span.replace("neuronexplain ", "", 1).split()
        command = command_lines.command_of(words)
        options = set(re.findall(r"(?:^|(?<= ))--[a-z][a-z0-9-]*", span))
        assert options <= (command_lines.commands()[command] if command else known), f"{page}: `{span}`"
