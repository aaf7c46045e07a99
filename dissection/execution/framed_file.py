"""Blocks of bytes, one behind the other in a file, each with its length and checksum."""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FRAME = struct.Struct("<QI")


def write_frame(file: BinaryIO, data: bytes) -> int:
    """Write a block; returns the bytes that it takes."""
    file.write(_FRAME.pack(len(data), zlib.crc32(data)))
    file.write(data)
    return _FRAME.size + len(data)


def read_frame(path: Path, offset: int) -> bytes:
    """The block at an offset.

    Raises:
        CheckpointError: if it is not as it was written.
    """
    with path.open("rb") as file:
        file.seek(offset)
        length, check = _FRAME.unpack(file.read(_FRAME.size))
        data = file.read(length)
    if len(data) != length or zlib.crc32(data) != check:
        raise CheckpointError(f"{path} is damaged; start the build again with --fresh")
    return data


def frame_offsets(path: Path) -> Iterator[int]:
    """Where each block begins, in order."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while frame := file.read(_FRAME.size):
            yield file.tell() - _FRAME.size
            file.seek(_FRAME.unpack(frame)[0], os.SEEK_CUR)
