"""Looks through built pages for whatever they would load from elsewhere: scripts, styles, pictures, fonts, frames."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OUTSIDE: Final = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_IN_STYLE: Final = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)
_LOADING: Final = {"src", "srcset", "poster", "data"}
_LINKS: Final = {"stylesheet", "preload", "preconnect", "dns-prefetch", "icon", "modulepreload", "prefetch", "manifest"}


def outside_resources(site: Path) -> list[str]:
    """What the pages and style sheets of a built site would load from elsewhere: ``page: address``.

    Links that a reader follows are none of it.
    """
    found = [
        f"{path.relative_to(site)}: {url}"
        for path in sorted(site.rglob("*.html"))
        for url in loaded(path.read_text("utf-8"))
    ]
    styles = [(path, path.read_text("utf-8")) for path in sorted(site.rglob("*.css"))]
    return found + [f"{path.relative_to(site)}: {url}" for path, text in styles for url in _IN_STYLE.findall(text)]


def loaded(page: str) -> list[str]:
    """The addresses elsewhere that a page would load something from.

    >>> loaded('<a href="https://arxiv.org"></a> <script src="//cdn.example/x.js"></script> <img src="a.png">')
    ['//cdn.example/x.js']
    """
    reader = _Reader()
    reader.feed(page)
    return reader.found


class _Reader(HTMLParser):
    """Gathers the addresses that tags and styles load from."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        values = {name: value or "" for name, value in attrs}
        self.found += [url for url in _loaded_by(tag, values) if _OUTSIDE.match(url)]
        self.found += _IN_STYLE.findall(values.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.found += _IN_STYLE.findall(data)


def _loaded_by(tag: str, values: dict[str, str]) -> Iterator[str]:
    """The addresses that a tag loads from, without being clicked."""
    if tag == "link" and _LINKS & set(values.get("rel", "").split()):
        yield values.get("href", "")
    if tag in {"image", "use"}:
        yield values.get("href", values.get("xlink:href", ""))
    for name in _LOADING & values.keys():
        yield from (part.strip() for part in values[name].split(","))
