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
    return frame_size(data)


def frame_size(data: bytes) -> int:
    """The bytes that a block takes in a file."""
    return _FRAME.size + len(data)


def read_frame(path: Path, offset: int) -> bytes:
    """The block at an offset.

    Raises:
        CheckpointError: if it is not as it was written.
    """
    with path.open("rb") as file:
        file.seek(offset)
        length, check = _header(file, path)
        data = file.read(length)
    if zlib.crc32(data) != check:
        raise _damaged(path)
    return data


def frame_offsets(path: Path) -> Iterator[int]:
    """Where each block begins, in order.

    Raises:
        CheckpointError: if a block does not end where the next begins, or the file does.
    """
    if not path.exists():
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        while (offset := file.tell()) < size:
            length, _ = _header(file, path)
            yield offset
            file.seek(length, os.SEEK_CUR)


def _header(file: BinaryIO, path: Path) -> tuple[int, int]:
    """A block's length and checksum, read where the block begins."""
    header = file.read(_FRAME.size)
    rest = os.fstat(file.fileno()).st_size - file.tell()
    if len(header) < _FRAME.size or _FRAME.unpack(header)[0] > rest:
        raise _damaged(path)
    length, check = _FRAME.unpack(header)
    return length, check


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is damaged; start the build again with --fresh")
