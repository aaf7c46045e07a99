"""Reads label maps: images whose stored values are numbers of labels, whatever their depth.

Pillow shows images: it scales grey of 2 or 4 bits until its largest value is white, and cuts 16 bits a colour down to
8. A label map is what the file stores. Where that cannot be told, the file is refused.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.errors import PhotographError

from .decoding import plain_png
from .image_files import Encoded, decode, opened_image, turn_of, whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from jaxtyping import UInt8

_FORMATS = ("PNG", "TIFF")
"""Formats of label maps; most others blur them, or cannot hold numbers."""

_SCALES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("1", "L", "P", "P;1", "P;2", "P;4", "RGB", "RGBA"), 1),
        **dict.fromkeys(("I;16", "I;16B", "I;16N", "I;32", "I;32B", "I;32N", "I;32S", "I;32BS", "I;32NS"), 1),
        "L;2": 85,
        "L;4": 17,
    }
)
"""By how a file stores its values (Pillow's raw mode): by what Pillow multiplies them."""

_LOSSY = {"jpeg", "tiff_jpeg", "webp"}
"""Compressions of a TIFF that change values."""


def open_image(path: str | PathLike[str] | Encoded) -> Image.Image:
    """The single image in a file, decoded, with its stored values and mode.

    Raises:
        PhotographError: as ``open_photograph``, or if the file is of a format or kind that does not keep numbers.
    """
    path = path if isinstance(path, Encoded) else Path(path)
    with opened_image(path) as image:
        scale = _scale(path, image.format, _raw_modes(image), image.info.get("compression"))
        decode(path, image)
        if turn_of(image) is not None:
            raise PhotographError(f"{path}: its metadata would turn this label map; save it upright, without them")
        if scale == 1:
            return image.copy()
        return Image.fromarray(np.asarray(image) // np.uint8(scale))


def plain_pixels(path: Path) -> UInt8[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w"] | None:
    """The pixels of a label map that is a plain PNG, in colours or grey; :func:`open_image` reads all others."""
    return plain_png(whole_file(path))


def _raw_modes(image: Image.Image) -> set[str]:
    """How the file stores the values of each tile."""
    tiles = getattr(image, "tile", [])
    return {tile[3] if isinstance(tile[3], str) else str(tile[3][0]) for tile in tiles if tile[3]}


def _scale(path: Path | Encoded, kind: str | None, raw_modes: set[str], compression: str | None) -> int:
    """By what Pillow multiplies the stored values; a file that does not keep its numbers is refused."""
    if kind not in _FORMATS or compression in _LOSSY:
        stored = kind if kind not in _FORMATS else f"{kind} with {compression}"
        raise PhotographError(f"{path}: a label map was saved as {stored}; {' or '.join(_FORMATS)} is needed, lossless")
    if len(raw_modes) != 1 or (scale := _SCALES.get(min(raw_modes))) is None:
        stored = ", ".join(sorted(raw_modes)) or "nothing"
        raise PhotographError(
            f"{path}: its values are stored as {stored}, which cannot be read as numbers; save it as a PNG of grey "
            "or palette, or of 8 bits a colour"
        )
    return scale
