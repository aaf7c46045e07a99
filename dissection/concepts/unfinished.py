"""A folder that takes long to write: work that a killed process leaves beside it is resumed."""

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
"""The subfolder of the work folder that becomes the target."""


@contextmanager
def resuming(folder: Path, digest: str) -> Iterator[Path]:
    """A folder to work in, with ``data`` in it to fill; the next process with the same digest finds it as it was.

    It is kept if the block is interrupted, killed or stopped by the disk. It is removed if the block ends well or in a
    ``ConceptDataError``: then the source must be corrected, which changes its digest.

    Args:
        folder: what ``data`` becomes when the block ends well.
        digest: of everything that the data depend on; work begun with another digest is discarded.

    Raises:
        OutputError: if ``folder`` is not empty or cannot be written.
        CheckpointError: if another process is working on it.
    """
    unfinished = folder.absolute().parent / f".{folder.absolute().name}.unfinished"
    try:
        if not list(unfinished.glob(f"*/{DATA}")):  # killed when only this was left to do
            shutil.rmtree(unfinished, ignore_errors=True)
        refuse_taken(folder)
        unfinished.mkdir(parents=True, exist_ok=True)
        with alone(unfinished, unfinished / "lock"):
            yield from _working(unfinished / digest, folder)
        shutil.rmtree(unfinished)
    except ConceptDataError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    except OSError as error:
        advice = (
            f"run the same command again to resume from {unfinished}" if unfinished.exists() else "nothing was kept"
        )
        raise unwritable(folder, error, advice) from error


def _working(work: Path, folder: Path) -> Iterator[Path]:
    for leftover in work.parent.iterdir():
        if leftover.is_dir() and leftover != work:
            shutil.rmtree(leftover)
    (work / DATA).mkdir(parents=True, exist_ok=True)
    yield work
    put_in_place(work / DATA, folder)
