"""Paths from archives, tables and disks: hostile until they stay inside their folder, and perhaps not UTF-8."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
"""What Python reads in place of the bytes of a file name that is not UTF-8."""


def leads_out(path: str) -> bool:
    """Whether a relative path could lead out of its folder, on any system."""
    windows = PureWindowsPath(path)  # knows both kinds of separator, and drives
    return bool(not path or windows.drive or windows.root or ".." in windows.parts or "\0" in path)


def readable(path: str | PathLike[str]) -> str:
    r"""A path as text that can be written anywhere: bytes that are not UTF-8 become ``%FF`` and the like.

    >>> readable("caf\udce9.jpg")
    'caf%E9.jpg'
    """
    return _NOT_UTF8.sub(lambda letter: f"%{ord(letter[0]) & 0xFF:02X}", str(path))
