"""A folder that takes long to write: what a killed process leaves beside it is gone on with."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dissection.errors import ConceptDataError
from dissection.execution.scratch import alone
from dissection.files.atomic import put_in_place, refuse_taken, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = "data"
"""The folder, in the one where work is done, that takes the target's place."""


@contextmanager
def resuming(folder: Path, digest: str) -> Iterator[Path]:
    """A folder to work in, with ``data`` in it to write into; the next process with the same digest finds it as it was.

    It is kept when the block is interrupted, killed or stopped by the disk, and removed when it ends, or ends in a
    ``ConceptDataError``: then the source has to be put right, and its digest will be another.

    Args:
        folder: what ``data`` becomes when the block ends well.
        digest: everything that what is written depends on; what was begun with another one is discarded.

    Raises:
        OutputError: if ``folder`` holds something, or cannot be written.
        CheckpointError: if another process works on it.
    """
    beside = folder.absolute().parent / f".{folder.absolute().name}.unfinished"
    try:
        if not list(beside.glob(f"*/{DATA}")):  # killed when all was done but this
            shutil.rmtree(beside, ignore_errors=True)
        refuse_taken(folder)
        beside.mkdir(parents=True, exist_ok=True)
        with alone(beside, beside / "lock"):
            yield from _working(beside / digest, folder)
        shutil.rmtree(beside)
    except ConceptDataError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    except OSError as error:
        kept = f"give the same command again to go on from {beside}" if beside.exists() else "nothing was kept"
        raise unwritable(folder, error, kept) from error


def _working(work: Path, folder: Path) -> Iterator[Path]:
    for other in work.parent.iterdir():
        if other.is_dir() and other != work:
            shutil.rmtree(other)
    (work / DATA).mkdir(parents=True, exist_ok=True)
    yield work
    put_in_place(work / DATA, folder)
