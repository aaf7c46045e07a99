"""Paths that archives and tables give: hostile until they are known to stay inside."""

from __future__ import annotations

from pathlib import PureWindowsPath


def leads_out(path: str) -> bool:
    """Whether a relative path could lead out of the folder that it is put behind, on any system."""
    windows = PureWindowsPath(path)  # knows both kinds of separator, and drives
    return bool(not path or windows.drive or windows.root or ".." in windows.parts or "\0" in path)
