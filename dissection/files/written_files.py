"""Files that were written, and whether anything has changed them since."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def checksum(content: bytes) -> str:
    """The crc32 of a file's content, in hexadecimal; it finds damage, not malice."""
    return f"{zlib.crc32(content):08x}"


def write_anew(file: Path, content: bytes) -> str:
    """Write a file in place of what a killed process left, or somebody put there; returns its checksum.

    A file that is half written when the process is killed has another checksum.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # a link would lead elsewhere
    file.write_bytes(content)
    return checksum(content)


def are_as_written(folder: Path, checksums: Mapping[str, str]) -> bool:
    """Whether files still have the content that they were written with; a link is not what was written.

    Args:
        folder: the folder of the files.
        checksums: of their contents, by path in the folder.
    """
    return all(_is_as_written(folder / path, written) for path, written in checksums.items())


def _is_as_written(file: Path, written: str) -> bool:
    try:
        return file.is_file() and not file.is_symlink() and checksum(file.read_bytes()) == written
    except OSError:
        return False
