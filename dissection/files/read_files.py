"""Files that were read, and whether anybody has changed them since."""

from __future__ import annotations

import hashlib
import os
import struct
from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_STAMP = struct.Struct("<qqq")


class ReadFiles:
    """Sizes and times of files when they were read, 24 bytes each, in the order of reading.

    A file's time of change is the system's own: nobody sets it back, as tools do with the time of its contents.
    """

    def __init__(self) -> None:
        self._stamps = bytearray()

    def open(self, file: Path) -> FileIO:
        """Open a file for reading; what is done to it from now on counts as a change."""
        stream = FileIO(file)
        self._stamps += _stamp(os.fstat(stream.fileno()))
        return stream

    def note(self, file: Path) -> None:
        """Take in a file that is read later; what is done to it from now on counts as a change."""
        self._stamps += _stamp(file.stat())

    @property
    def digest(self) -> str:
        """What tells these files from files that were changed, in hexadecimal."""
        return hashlib.sha256(self._stamps).hexdigest()

    def first_changed(self, files: Iterable[Path]) -> Path | None:
        """The first file that is not as it was read.

        Args:
            files: the same files in the same order.
        """
        stamps = (bytes(stamp) for (stamp,) in struct.iter_unpack(f"{_STAMP.size}s", self._stamps))
        for file in files:
            try:
                current = _stamp(file.stat())
            except OSError:
                return file
            if current != next(stamps, None):
                return file
        return None


def _stamp(status: os.stat_result) -> bytes:
    return _STAMP.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
