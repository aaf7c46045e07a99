"""Folders that appear whole or not at all: what is written lies beside the target, and takes its place at the end."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.checkpoint import alone
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = "data"
"""The folder, in the one where work is done, that takes the target's place."""


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A folder to write into; nothing is left of it when the block fails.

    Raises:
        ConceptDataError: if ``folder`` holds something, or cannot be written.
    """
    try:
        _refuse_taken(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            unfinished = Path(beside) / DATA
            unfinished.mkdir()
            yield unfinished
            _put_in_place(unfinished, folder)
    except OSError as error:
        raise ConceptDataError(f"{folder} cannot be written ({error.strerror or error}); nothing was kept") from error


@contextmanager
def resuming(folder: Path, digest: str) -> Iterator[Path]:
    """A folder to work in, with ``data`` in it to write into; the next process with the same digest finds it as it was.

    It is kept when the block is interrupted, killed or stopped by the disk, and removed when it ends, or ends in a
    ``ConceptDataError``: then the source has to be put right, and its digest will be another.

    Args:
        folder: what ``data`` becomes when the block ends well.
        digest: everything that what is written depends on; what was begun with another one is discarded.

    Raises:
        ConceptDataError: if ``folder`` holds something, or cannot be written.
        CheckpointError: if another process works on it.
    """
    beside = folder.absolute().parent / f".{folder.absolute().name}.unfinished"
    try:
        if not list(beside.glob(f"*/{DATA}")):  # killed when all was done but this
            shutil.rmtree(beside, ignore_errors=True)
        _refuse_taken(folder)
        beside.mkdir(parents=True, exist_ok=True)
        with alone(beside, beside / "lock"):
            yield from _working(beside / digest, folder)
        shutil.rmtree(beside)
    except ConceptDataError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    except OSError as error:
        kept = f"give the same command again to go on from {beside}" if beside.exists() else "nothing was kept"
        raise ConceptDataError(f"{folder} cannot be written ({error.strerror or error}); {kept}") from error


def _working(work: Path, folder: Path) -> Iterator[Path]:
    for other in work.parent.iterdir():
        if other.is_dir() and other != work:
            shutil.rmtree(other)
    (work / DATA).mkdir(parents=True, exist_ok=True)
    yield work
    _put_in_place(work / DATA, folder)


def _refuse_taken(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConceptDataError(f"{folder} exists and is not empty; name a new folder or empty it")


def _put_in_place(data: Path, folder: Path) -> None:
    if folder.exists():
        folder.rmdir()
    data.rename(folder)
