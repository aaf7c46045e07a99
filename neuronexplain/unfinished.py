"""Where a build keeps its unfinished work, and what other builds left there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.location import Location


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Builds that did not finish.

    Attributes:
        builds: how many.
        size: bytes of their files.
    """

    builds: int
    size: int


def scratch_folder(location: Location) -> Path:
    """A folder beside the database's file, or in the user's cache if the database is on a server."""
    path = location.path
    if path is not None:
        return path.with_name(f"{path.name}.unfinished")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "neuronexplain" / "unfinished"


def unfinished_in(scratch: Path) -> Unfinished:
    """What builds that were stopped left in a folder."""
    folders = [path for path in scratch.iterdir() if path.is_dir()] if scratch.is_dir() else []
    files = (file for path in folders for file in path.rglob("*"))
    return Unfinished(len(folders), sum(file.stat().st_size for file in files if file.is_file()))
