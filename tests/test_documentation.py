"""Every page can be followed: its commands and its Python run as they stand, and print what it shows.

A page is run from top to bottom in a folder that holds what its readers have at hand (`page_walks.WALKS`):

- ``sh``: command lines, which run in this process. The demo is played once for all tests. Commands that cannot run in a
  test are listed with the reason; that they could be typed is checked all the same.
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
from page_walker import Printed, Walker, compare
from page_walks import WALKS
from page_worlds import Origins, demo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TYPED = [page for page in pages.PAGES if any(block.language in pages.RUN for block in pages.blocks(page))]
FOREIGN = {"--nproc-per-node", "--node-rank", "--no-python", "--torch-backend"}
"""Options of torchrun and uv that sentences speak of."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
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


@pytest.mark.parametrize("page", [page for page, walk in WALKS.items() if not walk.elsewhere])
def test_a_page_can_be_followed(
    page: str,
    place: Path,
    request: pytest.FixtureRequest,
    made_once: Callable[..., Path],
    run: Callable[..., tuple[int, str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = WALKS[page]
    for package in walk.needs:
        pytest.importorskip(package)
    origins = Origins(lambda: request.getfixturevalue("demo"), made_once)

    def play_demo() -> str:
        demo(place, origins)
        return (origins.demo() / "said.txt").read_text()

    walk.world(place, origins)
    walker = Walker(place, walk.changes, play_demo=play_demo, run=run, capsys=capsys, monkeypatch=monkeypatch)
    walker.ask_servers()
    for one in (page, *walk.then):
        walker.walk(one)
    if walk.check:
        walk.check(walker)


def test_what_is_not_printed_is_noticed() -> None:
    printed = [Printed("neuronexplain runs", "3 runs,\n   2 of one network ──────", "All is well.")]
    for shown in ("3 runs, 2 of … network ──", "3 … well.", "3 runs,\n…\nAll is well."):
        compare(pages.Block("page.md", 1, "console", "", shown), printed)
    for shown in ("4 runs,", "3 runs, of one network", "All is well.\n3 runs,"):
        with pytest.raises(AssertionError, match=r"page\.md:1 shows what is not printed"):
            compare(pages.Block("page.md", 1, "console", "", shown), printed)
    with pytest.raises(AssertionError, match="nothing is run above"):
        compare(pages.Block("page.md", 1, "console", "", "…"), [])


@pytest.mark.parametrize(
    "line",
    [
        "neuronexplain rums",
        "neuronexplain evaluate",
        "neuronexplain units --database names.db",
        "torchrun --no-python neuronexplain build --neural x",
        "make everything",
        "pip install 'neuronexplain[everything]'",
        "python scripts/nothing.py",
        "wget x",
    ],
)
def test_what_could_not_be_typed_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError):
        command_lines.check(line)


def test_every_page_with_something_to_type_is_followed() -> None:
    followed = [page for first, walk in WALKS.items() for page in (first, *walk.then)]
    assert sorted(followed) == sorted(TYPED), "say in tests/page_walks.py in which world a page begins"


@pytest.mark.parametrize("page", WALKS)
def test_what_a_walk_changes_is_on_the_page(page: str) -> None:
    walk = WALKS[page]
    blocks = [block for one in (page, *walk.then) for block in pages.blocks(one)]
    lines = [line for block in blocks if block.language == "sh" for line in block.commands]
    for start in walk.changes.starts():
        assert any(line.startswith(start) for line in lines), f"no command begins with {start}"
    for word in walk.changes.instead:
        assert any(word in line for line in lines), f"no command holds {word}"
    if walk.elsewhere:
        assert (pages.ROOT / walk.elsewhere.partition(",")[0]).is_file()


@pytest.mark.parametrize("page", pages.PAGES)
def test_every_command_and_option_that_a_page_names_exists(page: str) -> None:
    known = frozenset().union(*command_lines.commands().values()) | command_lines.options_of_scripts() | FOREIGN
    for span in pages.spans(page):
        words = span.replace("neuronexplain ", "", 1).split()
        command = command_lines.command_of(words)
        assert command or not re.match(r"neuronexplain [a-z]", span), f"{page}: there is no such command: `{span}`"
        options = set(re.findall(r"(?:^|(?<= ))--[a-z][a-z0-9-]*", span))
        assert options <= (command_lines.commands()[command] if command else known), f"{page}: `{span}`"
