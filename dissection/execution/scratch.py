"""Folders for unfinished work: each belongs to one process while it works there, and is removed when it is done."""

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
    """The folder of one rank of a build, locked for this process; removed if the block ends without an error.

    Args:
        folder: folder of the build; its name identifies the build.
        ranks: number of processes that share the build.
        rank: number of this process.
        fresh: discard what an earlier process left in it.

    Raises:
        CheckpointError: if another process works in it, or another number of processes began the build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rank_folder = folder / f"{rank}-of-{ranks}"
    with alone(folder, rank_folder.with_suffix(".lock")):
        mismatched = [path for path in folder.iterdir() if path.is_dir() and not path.name.endswith(f"-of-{ranks}")]
        if fresh:
            for path in (*mismatched, rank_folder):
                shutil.rmtree(path, ignore_errors=True)  # other ranks do the same
        elif mismatched:
            processes = mismatched[0].name.rpartition("-")[2]
            raise CheckpointError(
                f"{folder} holds a build that {processes} processes did not finish, and this is one of {ranks}; start "
                f"{processes} again to resume it, or discard it with --fresh"
            )
        rank_folder.mkdir(exist_ok=True)
        yield rank_folder
        shutil.rmtree(rank_folder)
    rank_folder.with_suffix(".lock").unlink(missing_ok=True)
    _remove_empty(folder)


def discard(folder: Path) -> None:
    """Remove a build that will not be resumed, except the folders that a process is working in."""
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
    """Admit one process at a time to a folder; a lock ends with its process, however that ends.

    Raises:
        CheckpointError: if another process holds the lock.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(f"another process is working on this job, in {folder}; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
