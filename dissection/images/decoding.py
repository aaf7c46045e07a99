"""Decodes plain JPEGs and PNGs, as nearly all are, in half or a third of the time that Pillow takes.

Pillow reads anything, and does much of that in Python, where threads wait for each other. These libraries only decode.
They are used only if there is nothing to decide or to tolerate, and then give Pillow's pixels; otherwise the result is
``None``, and Pillow reads the file or says what is wrong.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pyspng
import simplejpeg
from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

JPEG = b"\xff\xd8\xff"
_TURNING = (b"Exif\0\0", b"tiff:Orientation")
"""Metadata that may ask for a photograph to be turned."""

_JPEG_COLOURS = ("YCbCr", "Gray")

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBB")
_GREY, _RGB = 0, 2


def plain_jpeg(data: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """The pixels of a JPEG in the usual colours or in grey, if it is upright, flawless and within Pillow's limit."""
    return None if may_turn(data) else stored_jpeg(data)


def may_turn(data: bytes) -> bool:
    """Whether metadata in a file may ask for it to be turned."""
    return any(word in data for word in _TURNING)


def stored_jpeg(data: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """As :func:`plain_jpeg`, but not turned, whatever the metadata ask for."""
    if not data.startswith(JPEG):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _JPEG_COLOURS or _too_large(int(width), int(height)):
            return None
        pixels: UInt8[np.ndarray, "h w 3"] = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return None
    return pixels


def plain_png(data: bytes) -> UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w"] | None:
    """The pixels of a PNG of 8-bit colours or grey and nothing else, if it is flawless and within Pillow's limit."""
    if not _is_sound(data):
        return None
    width, height, depth, colours = _HEADER.unpack_from(data, len(_PNG) + _CHUNK.size)
    if depth != 8 or colours not in {_GREY, _RGB} or _too_large(width, height):
        return None
    try:
        pixels: np.ndarray = pyspng.load(data)
    except RuntimeError:
        return None
    return pixels


def _is_sound(data: bytes) -> bool:
    """Whether a PNG is header, pixels and end, with correct checksums, which pyspng does not check."""
    if not data.startswith(_PNG):
        return False
    offset, kinds = len(_PNG), [b""]
    while kinds[-1] != b"IEND":
        if offset + _CHUNK.size > len(data):
            return False
        length, kind = _CHUNK.unpack_from(data, offset)
        end = offset + _CHUNK.size + length
        if data[end : end + 4] != zlib.crc32(data[offset + 4 : end]).to_bytes(4):
            return False
        offset = end + 4
        kinds.append(kind)
    return kinds[1:2] + kinds[-1:] == [b"IHDR", b"IEND"] and set(kinds[2:-1]) == {b"IDAT"}


def _too_large(width: int, height: int) -> bool:
    limit = Image.MAX_IMAGE_PIXELS
    return limit is not None and width * height > limit
