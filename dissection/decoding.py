"""Decodes JPEGs and PNGs of the plain kind, which nearly all are, for a third of what Pillow takes.

Pillow reads anything, and does much of that in Python, where threads wait for each other. These libraries do nothing but
decode. They are asked only where there is nothing to decide or to put up with; for all else there is ``None``, and
Pillow reads it, or says what is wrong. The pixels are the same.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pyspng
import simplejpeg
from PIL import Image

if TYPE_CHECKING:
    from jaxtyping import UInt8

JPEG = b"\xff\xd8\xff"
_EXIF = b"Exif\0\0"
_JPEG_COLOURS = ("YCbCr", "Gray")

_PNG = struct.Struct(">8s4x4sIIBB")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_EXTRAS = (b"tRNS", b"acTL")


def plain_jpeg(data: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """The pixels of a JPEG in the usual colours or in grey, without EXIF, without a flaw and within Pillow's limit."""
    if not data.startswith(JPEG) or _EXIF in data:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in _JPEG_COLOURS or _too_large(width, height):
            return None
        pixels: UInt8[np.ndarray, "h w 3"] = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return None
    return pixels


def plain_png(data: bytes) -> UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w"] | None:
    """The pixels of a PNG of 8-bit colours or grey, opaque, of one frame, whole and within Pillow's limit."""
    if len(data) < _PNG.size:
        return None
    start, kind, width, height, depth, colours = _PNG.unpack_from(data)
    if (start, kind, depth) != (_PNG_START, b"IHDR", 8) or colours not in {_GREY, _RGB} or _too_large(width, height):
        return None
    if any(extra in data for extra in _EXTRAS):
        return None
    try:
        pixels: np.ndarray = pyspng.load(data)
    except RuntimeError:
        return None
    return pixels


def _too_large(width: int, height: int) -> bool:
    limit = Image.MAX_IMAGE_PIXELS
    return limit is not None and width * height > limit
