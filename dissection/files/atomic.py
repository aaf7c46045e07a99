"""Writes files and folders whole or not at all: into a sibling, which then takes their place."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.errors import OutputError

from .leftovers import sweep, temporary_sibling

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream into a temporary sibling, which takes the file's place if the block succeeds.

    Raises:
        OutputError: if the file cannot be written.
    """
    with temporary_sibling(path) as sibling:
        try:
            with sibling.open("xb") as stream:
                yield stream
            sibling.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as stream:
        stream.write(content)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling folder, which takes the folder's place if the block succeeds; parents are created.

    Raises:
        OutputError: if the path is a file or a folder that is not empty, or cannot be written.
    """
    target = Path(path)
    refuse_taken(target)
    try:
        with suppress(FileExistsError):  # a file; the sibling then says that it is no folder
            target.absolute().parent.mkdir(parents=True, exist_ok=True)
        with temporary_sibling(path) as sibling:
            sibling.mkdir()
            yield sibling
            put_in_place(sibling, target)
    except OSError as error:
        raise unwritable(target, error) from error


def refuse_taken(target: Path) -> None:
    """Refuse a path for a new folder if it is taken; what a killed process left beside it is removed first.

    Raises:
        OutputError: if the path exists and is not an empty folder, or cannot be examined.
    """
    sweep(target.absolute().parent)
    try:
        taken = target.exists() and (not target.is_dir() or any(target.iterdir()))
    except OSError as error:
        raise unwritable(target, error) from error
    if taken:
        raise OutputError(f"{target} already exists; name another folder, or remove it")


def put_in_place(folder: Path, target: Path) -> None:
    """Move a folder to a path that does not exist or is an empty folder.

    Raises:
        OSError: if the path is anything else.
    """
    if target.exists():
        target.rmdir()
    folder.rename(target)


def unwritable(
    path: str | os.PathLike[str], error: OSError, remedy: str = "name a place that can be written"
) -> OutputError:
    """The error for a file or folder that cannot be written."""
    return OutputError(f"cannot write {path} ({error.strerror or error}); {remedy}")
