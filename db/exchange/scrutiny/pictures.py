"""Pictures of exemplars: small JPEGs."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from db.errors import StoreError

GREATEST_PICTURE: Final = 2**20
"""Bytes that an exemplar's picture may have; those of a build have some thousands."""
_GREATEST_SIDE: Final = 1024


def require_possible_picture(jpeg: bytes, where: str) -> None:
    """Check that a picture is a small JPEG that can be read.

    Raises:
        StoreError: if it is not.
    """
    if len(jpeg) > GREATEST_PICTURE:
        raise StoreError(f"{where} has {len(jpeg)} bytes: a picture of an exemplar has at most {GREATEST_PICTURE}")
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            if max(picture.size) > _GREATEST_SIDE:
                raise StoreError(f"{where} is {picture.size} pixels: an exemplar's has at most {_GREATEST_SIDE} a side")
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StoreError(f"{where} is not a JPEG: {error}") from error
