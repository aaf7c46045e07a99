"""Text of strangers that is safe to show: in a terminal, in a line of its own, and in a spreadsheet.

A name can hold the escape sequence that writes to the clipboard (OSC 52), a line break that forges a message, or an
override of the direction of writing that makes `gpj.exe` of `exe.jpg`. All of these are shown as escapes.
"""

from __future__ import annotations

import re
from typing import Final

_STEERS: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, line breaks and tabs too
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\u2028\u2029"  # line and paragraph separators
    "\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotation
    "\ud800-\udfff"  # halves of characters: bytes of a file name that are not text
    "\U000e0000-\U000e007f"  # tags, which are never visible
    "]"
)
_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""How a formula begins in a spreadsheet; in Japanese ones, with full width too."""


def steers(text: str) -> bool:
    """Whether text holds a character that does something to a terminal or a line instead of being seen."""
    return _STEERS.search(text) is not None


def visible(text: str) -> str:
    r"""The text with everything that steers a terminal or a line as an escape.

    >>> print(visible("sky\x1b[8m\nAll is well."))
    sky\x1b[8m\nAll is well.
    """
    return _STEERS.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""JSON text with the same characters as JSON's own escapes; line breaks between its values stay.

    >>> print(visible_json('"\x9b8m"'))
    "\u009b8m"
    """
    return _STEERS.sub(lambda match: "\n" if match[0] == "\n" else _json_escape(match[0]), text)


def cell(text: str) -> str:
    """Text for a cell of CSV: visible, and after an apostrophe where a spreadsheet would take it for a formula.

    >>> cell("=1+1"), cell("sky")
    ("'=1+1", 'sky')
    """
    return f"'{visible(text)}" if text.lstrip(" ").startswith(_FORMULA) else visible(text)


def _escape(match: re.Match[str]) -> str:
    return _byte(match[0]) or match[0].encode("unicode_escape").decode("ascii")


def _byte(character: str) -> str:
    """A byte of a file name that is not text, as :func:`dissection.files.paths.readable` shows it; or nothing."""
    return f"%{ord(character) & 0xFF:02X}" if "\udc80" <= character <= "\udcff" else ""


def _json_escape(character: str) -> str:
    if byte := _byte(character):
        return byte
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
