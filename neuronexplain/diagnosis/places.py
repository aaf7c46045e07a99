"""Keeps private what a report of a bug would tell of its author: folders, the home's name, and servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from db.location import Location

_SOURCES: Final = frozenset({"timm", "hf", "places365", "scenes"})
"""What a network's name can begin with before a stroke; everything else before one is a folder."""

_URL: Final = re.compile(r"[A-Za-z][\w+.-]*://\S+")
_PATH: Final = re.compile(r"(?<![\w./:])(?:~|[A-Za-z]:)?[\\/][^\s'\"“”(),;]+")


def name_only(place: str) -> str:
    """The last part of a path, or of a name that may be one; ``~`` for the user's home, and of a URL its kind.

    >>> name_only("/home/ada/my nets/net.py:make"), name_only("hf/ada/secret/net"), name_only("timm/resnet18")
    ('net.py:make', 'hf/…/net', 'timm/resnet18')
    """
    if url := _URL.search(place):
        return f"{url[0].partition('://')[0]}://…"
    first, *others = [part for part in re.split(r"[\\/]+", place) if part] or [""]
    last = others[-1] if others else first
    if _home() and last == Path(_home()).name:
        last = "~"
    if first not in _SOURCES or place[:1] in {"\\", "/"} or not others:
        return last
    return f"{first}/{last}" if len(others) == 1 else f"{first}/…/{last}"


def shown(location: Location) -> str:
    """A database in a report: its file's name, or of a server only what kind it is."""
    return name_only(str(location.path)) if location.path is not None else f"{location.url.get_backend_name()} server"


def without_places(text: str, *places: str) -> str:
    """A message whose URLs and paths are shortened to names.

    Args:
        text: the message.
        places: what it may hold that does not look like a path, or has blanks in it.
    """
    for place in sorted(filter(None, places), key=len, reverse=True):
        text = text.replace(place, name_only(place))
    if home := _home():
        text = text.replace(home, "~")
    return _PATH.sub(lambda path: name_only(path[0]), _URL.sub(lambda url: name_only(url[0]), text))


def _home() -> str:
    """The user's home; empty where there is none, as in some containers, or where it is the root."""
    try:
        home = Path.home()
    except RuntimeError:
        return ""
    return str(home) if home.name else ""
