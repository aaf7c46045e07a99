"""Which runs this user has built on this machine: only those may decide which code is run.

A run says where its network comes from, and that may be code: a factory, or a program. A database can come from anyone,
and whatever is in it can be forged. So a build leaves a mark outside the database: an empty file in the user's state
folder, whose name is a sha256 over the run's key and source. A database may be moved, and still knows its runs.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from db.records import Run


def remember(run: Run) -> None:
    """Mark a run as built here; where there is no folder to write to, its network is named again to explain."""
    mark = _mark(run)
    with suppress(OSError):
        if mark is not None:
            mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            mark.touch()


def is_built_here(run: Run) -> bool:
    """Whether this user built a run with this key and this source."""
    mark = _mark(run)
    try:
        return mark is not None and mark.is_file()
    except OSError:
        return False


def _mark(run: Run) -> Path | None:
    """The file that marks a run; ``None`` where the user has no home: a relative path could be anybody's."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- few networks are code

    folder = user_state_path("neuronexplain", appauthor=False)
    content = json.dumps([run.key.digest, dict(run.source)], sort_keys=True)
    name = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return folder / "built" / name if folder.is_absolute() else None
