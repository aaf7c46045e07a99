"""Text and tables of Markdown that say what a value says, whatever characters it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def plain(text: str) -> str:
    r"""Text in one line in which nothing is markup; options and quoted commands are code.

    >>> plain("with --db, a_b*c <x>|")
    'with `--db`, a\\_b\\*c &lt;x>\\|'
    """
    line = " ".join(text.split())
    pieces = re.split(r"(`[^`]+`|(?<![\w-])--[a-z][a-z0-9-]*)", line)
    return "".join(_code(piece) if place % 2 else escaped(piece) for place, piece in enumerate(pieces))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(text: str) -> str:
    return text if text.startswith("`") else f"`{text}`"


def escaped(text: str) -> str:
    """Text in which nothing is markup, with its spaces."""
    return re.sub(r"([\\*_\[\]|#~])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
