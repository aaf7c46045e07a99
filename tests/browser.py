"""A real browser for tests: Debian's Chromium without a window, driven by playwright.

The fixture ``open_page`` opens an address or a file. Pages may reach this machine only. Each page notes what it writes
to its console, errors of scripts and requests that fail; a test that ends with any such note fails.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
DESKTOP = (1280, 900)
PHONE = (375, 812)
AA = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""axe-core's tags for WCAG 2.2 at AA, and what it calls best practice."""


@dataclass
class Troubles:
    """What went wrong in pages."""

    notes: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what a page reports from now on."""
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.notes.append(f"script: {error}"))
        page.on("requestfailed", lambda request: self._request(request.url, request.failure))

    def _request(self, url: str, failure: str | None) -> None:
        if failure != "net::ERR_ABORTED":  # by a page that leads elsewhere while it is loading
            self.notes.append(f"failed: {url[:200]} {failure}")

    def _console(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.notes.append(f"{kind}: {text}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, which all tests of a process share."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS]) as browser,
    ):
        yield browser


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a file or an address in a fresh profile.

    Keywords: ``size`` (width, height); ``dark``; ``touch``, for a phone that is tapped; ``scripts=False`` for a reader
    who allows none; ``expected``, what notes may hold without failing the test (such as a status of 400).
    """
    troubles, expected_notes = Troubles(), []
    with ExitStack() as contexts:

        def open_(
            place: Path | str,
            *,
            size: tuple[int, int] = DESKTOP,
            dark: bool = False,
            touch: bool = False,
            scripts: bool = True,
            expected: tuple[str, ...] = (),
        ) -> Page:
            context = chromium.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                has_touch=touch,
                is_mobile=touch,
                java_script_enabled=scripts,
            )
            contexts.callback(context.close)
            page = context.new_page()
            expected_notes.extend(expected)
            troubles.watch(page)
            page.goto(place.resolve().as_uri() if isinstance(place, Path) else place)
            return page

        yield open_
    unexpected = [note for note in troubles.notes if not any(part in note for part in expected_notes)]
    assert not unexpected, unexpected


def violations(page: Page, *, within: str | None = None) -> list[str]:
    """What axe-core finds against WCAG at AA in a page, or in the parts of it that a selector finds."""
    page.evaluate(AXE_SCRIPT)
    answer: dict[str, Any] = page.evaluate(
        "([within, tags]) => axe.run(within ?? document, {runOnly: {type: 'tag', values: tags}})", [within, list(AA)]
    )
    return [
        f"{violation['id']}: {' '.join(node['target'])}: {node['failureSummary']}"
        for violation in answer["violations"]
        for node in violation["nodes"]
    ]


def page_size(page: Page) -> tuple[int, int]:
    """Width and height of the whole page; it is wider than the window where something sticks out."""
    width, height = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    return width, height
