"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import NeuronExplainError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream into a temporary sibling, which takes the file's place when the block ends well.

    Raises:
        NeuronExplainError: if the file cannot be written.
    """
    sibling = _sibling(path)
    try:
        with sibling.open("xb") as stream:
            yield stream
        sibling.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        sibling.unlink(missing_ok=True)


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        NeuronExplainError: if the file cannot be written.
    """
    with replacing(path) as stream:
        stream.write(content)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary sibling folder, which takes the folder's place when the block ends well.

    Raises:
        NeuronExplainError: if there is a file, or a folder that is not empty, or the folder cannot be written.
    """
    target, sibling = Path(path), _sibling(path)
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise NeuronExplainError(f"{target} is there already: name a new folder")
        sibling.mkdir()
        yield sibling
        sibling.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(sibling, ignore_errors=True)


def _sibling(path: str | os.PathLike[str]) -> Path:
    return Path(path).absolute().with_name(f".{secrets.token_hex(8)}.part")


def _unwritable(path: str | os.PathLike[str], error: OSError) -> NeuronExplainError:
    return NeuronExplainError(f"cannot write {path}: {error.strerror}; name a place that can be written")
