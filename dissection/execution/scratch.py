"""Folders for unfinished work: each is one process's own while it works there, and gone when the work is done."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def scratch(folder: Path, *, ranks: int, rank: int, fresh: bool) -> Iterator[Path]:
    """The folder of one rank of a build, for as long as this process works on it; gone when the block ends well.

    Args:
        folder: of the build; its name is what the build is known by.
        ranks: how many processes share the build.
        rank: the number of this one.
        fresh: discard what an earlier process left there.

    Raises:
        CheckpointError: if another process works in it, or a build by another number of processes left it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"{rank}-of-{ranks}"
    with alone(folder, own.with_suffix(".lock")):
        others = [path for path in folder.iterdir() if path.is_dir() and not path.name.endswith(f"-of-{ranks}")]
        if fresh:
            for path in (*others, own):
                shutil.rmtree(path, ignore_errors=True)  # other ranks do the same
        elif others:
            before = others[0].name.rpartition("-")[2]
            raise CheckpointError(
                f"{folder} holds a build that {before} processes did not finish, and this is one of {ranks}; start as "
                "many again to go on with it, or discard it with --fresh"
            )
        own.mkdir(exist_ok=True)
        yield own
        shutil.rmtree(own)
    own.with_suffix(".lock").unlink(missing_ok=True)
    _remove_empty(folder)


def discard(folder: Path) -> None:
    """Remove what is left of a build that is not gone on with, save where a process is at it."""
    for lock_file in folder.glob("*.lock"):
        with suppress(CheckpointError), alone(folder, lock_file):
            shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
            lock_file.unlink()
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    for emptied in (folder, folder.parent):
        with suppress(OSError):
            emptied.rmdir()


@contextmanager
def alone(folder: Path, lock_file: Path) -> Iterator[None]:
    """One process at a time in a folder; a lock ends with its process, however that ends.

    Raises:
        CheckpointError: if another process holds it.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(f"another process is at this very job, in {folder}; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
