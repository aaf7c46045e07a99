"""Temporary files and folders; those of a process that was killed go with the next one.

Each has a lock, which ends with its process, however that ends. So a process that lives keeps what it writes. The lock
of what lies beside its target is beside it too; that of a folder among the system's temporary ones is inside it, where
nobody else can put anything.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK = re.compile(r"\.[0-9a-f]{16}\.lock")
_PREFIX = "neuronexplain-"
_OWNER = "owner.lock"


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
        _remove_with(sibling, lock_file)
        lock.release()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder among the system's temporary ones, which only this user can enter; it is removed with the block."""
    _sweep_temporary(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = FileLock(folder / "lock")
    try:
        with suppress(OSError, NotImplementedError, Timeout):
            lock.acquire(timeout=0)
            (folder / "lock").rename(folder / _OWNER)  # by this name nobody ever sees it unlocked
        yield folder
    finally:
        remove(folder)
        lock.release()


def _sweep_temporary(folder: Path) -> None:
    """Remove this user's temporary folders whose processes were killed; those without a lock stay."""
    with suppress(OSError):
        for path in folder.glob(f"{_PREFIX}*"):
            with suppress(OSError, NotImplementedError, Timeout):
                if _is_ours(path) and (path / _OWNER).is_file():
                    with FileLock(path / _OWNER).acquire(timeout=0):
                        remove(path)


def _is_ours(path: Path) -> bool:
    """Whether this is a folder, not a link to one, and this user's where the system tells users apart."""
    status = path.lstat()
    return S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


@cache  # once for each folder: there may be many files to write in it
def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder; what cannot be removed stays."""
    with suppress(OSError):
        for lock_file in [path for path in folder.iterdir() if _LOCK.fullmatch(path.name)]:
            with suppress(OSError, NotImplementedError, Timeout), FileLock(lock_file).acquire(timeout=0):
                _remove_with(lock_file.with_suffix(".part"), lock_file)


def _remove_with(part: Path, lock_file: Path) -> None:
    """Remove a part and its lock; a part that cannot be removed keeps its lock, by which a later process finds it."""
    remove(part)
    if not os.path.lexists(part):
        remove(lock_file)


def remove(path: Path) -> None:
    """Remove a file or a folder with what is in it, as far as possible; of a link the link, never what it leads to."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
