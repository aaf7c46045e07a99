"""Rows of one size in a file, by number. Rows may be written in any order, and again, so a resumed job just goes on."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

_CHECKSUM = 4
"""Bytes of a checksum."""


class RowFile:
    """A file of rows; those that were never written take no space where the system allows it.

    Each row has a checksum of its number and its bytes, so that one that is at another place is noticed too.

    Args:
        path: the file; made by the first row, in a folder that is there.
        row: numpy's type of a row.

    Attributes:
        row: the type of a row.
    """

    def __init__(self, path: Path, row: np.dtype[Any]) -> None:
        self.row = row
        self._path = path
        self._size = row.itemsize + _CHECKSUM

    def write(self, first: int, rows: np.ndarray) -> None:
        """Write rows that follow each other, in place of those that were there.

        Args:
            first: number of the first row.
            rows: the rows, one dimension.
        """
        checked = b"".join(_checked(number, row.tobytes()) for number, row in enumerate(rows, first))
        self._path.touch()
        with self._path.open("r+b") as file:
            file.seek(first * self._size)
            file.write(checked)

    def read(self, numbers: range) -> np.ndarray:
        """Rows that follow each other.

        Raises:
            CheckpointError: if one was never written, or is not as it was written.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(numbers.start * self._size)
                data = file.read(len(numbers) * self._size)
        except FileNotFoundError:
            data = b""
        rows = [data[start : start + self.row.itemsize] for start in range(0, len(numbers) * self._size, self._size)]
        if data != b"".join(map(_checked, numbers, rows)):
            raise CheckpointError(f"{self._path} is damaged; start the build again with --fresh")
        return np.frombuffer(b"".join(rows), self.row)


def _checked(number: int, row: bytes) -> bytes:
    return row + zlib.crc32(row, number & 0xFFFFFFFF).to_bytes(_CHECKSUM, "little")
