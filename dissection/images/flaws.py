"""Damage that Pillow passes over: a PNG that contradicts its checksums, a JPEG whose pixels end early or make no sense.

Pillow looks at the checksums of a PNG's notes, but not at those of its pixels, and it keeps libjpeg's warnings to
itself.
"""

from __future__ import annotations

import re
import struct
import zlib
from os import SEEK_CUR
from typing import TYPE_CHECKING

import simplejpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CHUNK = struct.Struct(">I4s")
_PNG_START = 8
_PIECE = 2**20

_SCAN = 0xFFDA
_END = b"\xff\xd9"
_CORRUPT = re.compile(r"Corrupt JPEG data|Premature end|Inconsistent progression")
_BEHIND_THE_PIXELS = re.compile(r"extraneous bytes before marker 0xd9")
"""Libjpeg's words for bytes between the last pixel and the end, which some cameras leave."""
_FOUR_INKS = {"CMYK", "YCCK"}


def png_flaw(file: BinaryIO) -> str:
    """How a PNG contradicts its checksums, chunk by chunk up to its end; empty if it does not."""
    file.seek(_PNG_START)
    kind = b""
    while kind != b"IEND":
        header = file.read(_CHUNK.size)
        if len(header) < _CHUNK.size:
            return "no end of the PNG was found"
        length, kind = _CHUNK.unpack(header)
        checksum = zlib.crc32(kind)
        for piece in _pieces(file, length):
            checksum = zlib.crc32(piece, checksum)
        if file.read(4) != checksum.to_bytes(4):
            return f"the checksum of a chunk {kind.decode('latin-1')!r} does not match"
    return ""


def jpeg_flaw(file: BinaryIO) -> str:
    """What libjpeg says against the pixels of a JPEG; empty if nothing, or if it cannot read such JPEGs at all."""
    file.seek(0)
    data = file.read()
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(data)
        # At an eighth of the size nearly all of the time goes into what is to be checked.
        simplejpeg.decode_jpeg(
            data, colorspace="CMYK" if colours in _FOUR_INKS else "RGB", min_height=1, min_width=1, min_factor=1
        )
    except ValueError as error:
        reason = str(error)
        return reason if _CORRUPT.match(reason) and not _BEHIND_THE_PIXELS.search(reason) else ""
    return ""


def lacks_jpeg_end(file: BinaryIO) -> bool:
    """Whether a JPEG has no end marker: if its download stopped, zeros may fill it up to its full length.

    Raises:
        struct.error: if it ends before its pixels.
    """
    file.seek(2)
    marker, length = struct.unpack(">HH", file.read(4))
    while 0xFFC0 <= marker < 0xFFFF and marker != _SCAN:
        file.seek(length - 2, SEEK_CUR)
        marker, length = struct.unpack(">HH", file.read(4))
    return marker == _SCAN and _END not in file.read()


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next bytes of a file, as many as there are: a length may be a lie."""
    while length and (piece := file.read(min(length, _PIECE))):
        length -= len(piece)
        yield piece
