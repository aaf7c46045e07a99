"""Temporary files and folders beside what they become; those of a process that was killed go with the next one.

Each has a lock beside it, which ends with its process, however that ends. So a process that lives keeps what it writes.
"""

from __future__ import annotations

import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_LOCK = re.compile(r"\.[0-9a-f]{16}\.lock")


@contextmanager
def temporary_sibling(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A name for a file or folder beside ``path``; what has it at the end of the block is removed.

    Where a folder allows no locks, nothing can tell later whether its process lives, and what a kill leaves stays.
    """
    target = Path(path).absolute()
    if target.parent.is_dir():
        sweep(target.parent)
    sibling = target.with_name(f".{secrets.token_hex(8)}.part")
    lock_file = sibling.with_suffix(".lock")
    lock = FileLock(lock_file)
    with suppress(OSError, NotImplementedError, Timeout):
        if target.parent.is_dir():  # filelock would make it
            lock.acquire(timeout=0)
    try:
        yield sibling
    finally:
        remove(sibling)
        remove(lock_file)
        lock.release()


@cache  # once for each folder: there may be many files to write in it
def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder; what cannot be removed stays."""
    with suppress(OSError):
        for lock_file in [path for path in folder.iterdir() if _LOCK.fullmatch(path.name)]:
            with suppress(OSError, NotImplementedError, Timeout), FileLock(lock_file).acquire(timeout=0):
                remove(lock_file.with_suffix(".part"))
                lock_file.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file or a folder with what is in it, as far as possible; of a link the link, never what it leads to."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
