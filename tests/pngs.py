"""PNGs made by hand: of any depth, and with any damage."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: np.ndarray, depth: int, colour_type: int = 0, palette: Sequence[int] = ()) -> bytes:
    """Grey (0), RGB (2) or palette (3) of any depth; values are stored as they are."""
    height, width = values.shape[:2]
    rows = values.reshape(height, -1).astype(">u2").view(np.uint8).reshape(height, -1, 2)
    bits = np.unpackbits(rows, axis=2)[:, :, 16 - depth :].reshape(height, -1)
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in bits)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    colours = chunk(b"PLTE", bytes(palette)) if palette else b""
    return START + chunk(b"IHDR", header) + colours + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def flips(data: bytes) -> Iterator[bytes]:
    """The bytes with one bit changed, for every bit."""
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << (place % 8)
        yield bytes(changed)
