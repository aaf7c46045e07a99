"""Paths from archives and tables: hostile until they are known to stay inside their folder."""

from __future__ import annotations

from pathlib import PureWindowsPath


def leads_out(path: str) -> bool:
    """Whether a relative path could lead out of its folder, on any system."""
    windows = PureWindowsPath(path)  # knows both kinds of separator, and drives
    return bool(not path or windows.drive or windows.root or ".." in windows.parts or "\0" in path)
