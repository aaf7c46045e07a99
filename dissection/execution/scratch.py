"""Folders for unfinished work: each belongs to one process while it works there, and is removed when it is done."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RANK = re.compile(r"\d+-of-\d+")


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
    if not folder.parent.exists():
        folder.parent.parent.mkdir(parents=True, exist_ok=True)
        _mark(folder.parent).touch()
    folder.mkdir(parents=True, exist_ok=True)
    rank_folder = folder / f"{rank}-of-{ranks}"
    with alone(folder, rank_folder.with_suffix(".lock")):
        mismatched = [path for path in _rank_folders(folder) if not path.name.endswith(f"-of-{ranks}")]
        if fresh:
            for path in (*mismatched, rank_folder):
                _remove(path)  # other ranks do the same
        elif mismatched:
            processes = mismatched[0].name.rpartition("-")[2]
            raise CheckpointError(
                f"{folder} holds a build that {processes} processes did not finish, and this is one of {ranks}; start "
                f"{processes} again to resume it, or discard it with --fresh"
            )
        rank_folder.mkdir(exist_ok=True)
        _refuse_links(rank_folder)
        yield rank_folder
        shutil.rmtree(rank_folder)
    rank_folder.with_suffix(".lock").unlink(missing_ok=True)
    _remove_empty(folder)


def discard(folder: Path) -> None:
    """Remove a build that will not be resumed, except the folders that a process is working in."""
    for lock_file in folder.glob("*-of-*.lock"):
        with suppress(CheckpointError), alone(folder, lock_file):
            _remove(lock_file.with_suffix(""))
            lock_file.unlink()
    _remove_empty(folder)


def empty(folder: Path) -> None:
    """Remove what is in a folder; of links the link, never what it leads to."""
    for path in folder.iterdir():
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _rank_folders(folder: Path) -> list[Path]:
    """The folders of ranks, of however many; other things in the user's folder are not ours."""
    return [path for path in folder.iterdir() if _RANK.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]


def _refuse_links(folder: Path) -> None:
    """Refuse a folder that leads elsewhere, or has anything in it that does: files are written and removed there.

    Raises:
        CheckpointError: if there is such a link.
    """
    links = (path for path in (folder, *folder.rglob("*")) if path.is_symlink())
    if (link := next(links, None)) is not None:
        raise CheckpointError(f"{link} is a link, which no build makes; remove it, or name another --scratch folder")


def _mark(parent: Path) -> Path:
    """A file beside the folder of all builds' folders if that was made for them: it goes with the last of them.

    Beside it, and made before it and removed after it, so that a kill at any moment leaves what the next build removes.
    """
    parent = parent.absolute()  # "." has no name
    return parent.parent / f".{parent.name}.made"


def _remove_empty(folder: Path) -> None:
    """Remove the folder of a build, and its parent if that is one that we made; a user's own folder stays."""
    mark = _mark(folder.parent)
    with suppress(OSError):
        folder.rmdir()
    with suppress(OSError):
        if mark.exists():
            folder.parent.rmdir()
    if not folder.parent.exists():
        mark.unlink(missing_ok=True)


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
