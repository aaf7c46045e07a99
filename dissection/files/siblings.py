"""Temporary files and folders beside their targets; what a killed process left of them is removed by the next.

A sibling is named after its target and a number, and locked by the process that made it for as long as that lives. So
one that nobody has locked is a leftover. Where folders cannot be locked (Windows, some network drives), nothing is
taken for a leftover, and each process takes the next free number.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@contextmanager
def sibling_file(target: Path) -> Iterator[Path]:
    """An empty file beside a target, removed at the end if it is still there.

    Raises:
        OSError: if it cannot be made.
    """
    with _sibling(target, lambda path: path.touch(exist_ok=False)) as path:
        yield path


@contextmanager
def sibling_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside a target, whose parents are made too; removed at the end if it is still there.

    Raises:
        OSError: if it cannot be made.
    """
    with _sibling(target, lambda path: path.mkdir(parents=True)) as path:
        yield path


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left beside a target that is not written now."""
    _remove_leftovers(target, count())


def _remove_leftovers(target: Path, numbers: Iterable[int]) -> None:
    for number in numbers:
        leftover = _numbered(target, number)
        if not os.path.lexists(leftover):
            break
        _remove_leftover(leftover)


@contextmanager
def _sibling(target: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    numbers = count()
    path, lock = next(taken for number in numbers if (taken := _take(_numbered(target, number), make)))
    identity = os.lstat(path)
    try:
        yield path
    finally:
        if _is_still(path, identity):  # once it has been moved, another process may use the path
            _remove(path)
        _remove_leftovers(target, numbers)
        if lock is not None:
            os.close(lock)


def _numbered(target: Path, number: int) -> Path:
    """A sibling's path; a digest, since the target's name may be as long as names can be."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.absolute().with_name(f".{digest}.{number}.part")


def _take(path: Path, make: Callable[[Path], object]) -> tuple[Path, int | None] | None:
    """Make and lock a sibling; ``None`` if another process has it."""
    _remove_leftover(path)
    try:
        make(path)
    except FileExistsError:
        return None
    if not _CAN_LOCK:
        return path, None
    try:
        lock = _lock(path)
    except FileNotFoundError:  # not yet locked, it was taken for a leftover
        return None
    except OSError:
        return path, None  # no locks on this file system
    return None if lock is None else (path, lock)


def _remove_leftover(path: Path) -> None:
    if not _CAN_LOCK:
        return
    try:
        lock = _lock(path)
    except OSError:  # it is not there, or is not ours
        return
    if lock is not None:
        _remove(path)
        os.close(lock)


def _is_still(path: Path, identity: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(path), identity)
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


if sys.platform == "win32":
    _CAN_LOCK = False

    def _lock(path: Path) -> int | None:
        raise NotImplementedError
else:
    import fcntl

    _CAN_LOCK = True

    def _lock(path: Path) -> int | None:
        """A descriptor that locks a path until it is closed; ``None`` if another process has the path or its lock.

        Raises:
            OSError: if the path does not exist, is a link, or cannot be locked.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, os.fstat(descriptor)):
                return descriptor
        except BlockingIOError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None
