"""The pages of the documentation, and what stands in them to be typed."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
"""The pages by their paths in the repository."""

RUN = frozenset({"sh", "python"})
DATA = frozenset({"csv", "json", "toml", "yaml"})
PRINTED = "console"
PICTURES = frozenset({"text", ""})
"""Languages of what is for the eye: trees of folders, and the like."""

_FENCED = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"(`+)(.+?)\1", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the number of its first line, its language, and the file that it is to be kept in, if any."""

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The command lines, without comments; a backslash continues one."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines) if line]


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text()


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """All fenced blocks of a page, in order."""
    return tuple(_blocks(page, read(page)))


def _blocks(page: str, text: str) -> list[Block]:
    made = []
    for match in _FENCED.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]*)"', rest)
        line = text.count("\n", 0, match.start("text")) + 1
        made.append(Block(page, line, language, title[1] if title else "", textwrap.dedent(match["text"])))
    return made


@cache
def spans(page: str) -> tuple[str, ...]:
    """What is set as code within sentences."""
    prose = _FENCED.sub("", read(page))
    return tuple(" ".join(match[2].split()) for match in _INLINE.finditer(prose))
