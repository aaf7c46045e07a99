"""Reads photographs as 8-bit RGB, the way a person sees them, or refuses them in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.errors import PhotographError

from .decoding import may_turn, stored_jpeg
from .image_files import SIDEWAYS, Encoded, decode, decode_in_memory, opened_image, turn_of, whole_file

if TYPE_CHECKING:
    from os import PathLike

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm", ".jp2", ".avif")
"""Endings of the names of photographs, in lower case."""


def photographs_in(folder: Path) -> list[Path]:
    """The files in a folder and its subfolders whose names end like a photograph's, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def open_photograph(path: str | PathLike[str] | Encoded) -> Image.Image:
    """The photograph in a file, upright, as 8-bit RGB without metadata.

    The EXIF orientation is applied. Transparent pixels are laid over white. 16-bit grey is scaled so that 65535 is
    white. White in 32-bit integers and floats is the least of 1 (floats), 255 (floats), 65535 and the image's maximum
    that no pixel exceeds.

    Raises:
        PhotographError: if the file is missing, empty, damaged, not an image, animated, or larger than Pillow's
            ``Image.MAX_IMAGE_PIXELS``.
    """
    path = path if isinstance(path, Encoded) else Path(path)
    data = whole_file(path)
    pixels = stored_jpeg(data)
    if pixels is not None and not may_turn(data):
        return Image.fromarray(pixels)
    with opened_image(path) as image:
        if pixels is None:
            decode(path, image)
        return _turned(_rgb(image) if pixels is None else Image.fromarray(pixels), turn_of(image))


def upright(image: Image.Image, name: str) -> Image.Image:
    """A picture in memory, as :func:`open_photograph` reads it from its file.

    Args:
        image: the picture; it stays as it is.
        name: what errors call it.

    Raises:
        PhotographError: if it is empty, or its file is damaged.
    """
    decode_in_memory(name, image)
    turn = turn_of(image)
    if image.mode == "RGB" and turn is None and not image.has_transparency_data:
        return image
    try:
        return _turned(_rgb(image), turn)
    except ValueError as error:
        raise PhotographError(f"{name}: the picture cannot be shown ({error}); give another one") from error


def photograph_size(path: str | PathLike[str] | Encoded) -> tuple[int, int]:
    """Width and height of the upright photograph, if possible without decoding it.

    Raises:
        PhotographError: as ``open_photograph``, for flaws that show without decoding.
    """
    path = path if isinstance(path, Encoded) else Path(path)
    with opened_image(path) as image:
        if image.format == "TIFF":  # Pillow turns it itself, when it decodes it
            decode(path, image)
        return _upright_size(image)


def _turned(colours: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    upright = colours if turn is None else colours.transpose(turn)
    upright.info.clear()
    return upright


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if turn_of(image) in SIDEWAYS else (width, height)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("it holds a NaN or an infinity")
    brightest = float(values.max())
    whites = (1, 255, 65535) if image.mode == "F" else (65535,)
    white = next((white for white in whites if brightest <= white), brightest)
    grey = np.rint(values.clip(0, white) * (255 / white)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
