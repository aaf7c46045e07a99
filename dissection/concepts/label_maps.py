"""Label maps as image files: Broden's two-byte colour code, and plain index masks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.errors import PhotographError
from dissection.execution.kernels import kernel
from dissection.images.label_images import open_image, plain_pixels
from dissection.images.photographs import open_photograph

from .problems import BadFileError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from jaxtyping import Bool, Int32, Integer, UInt8

_INDEX_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
_SHOWN = 5


def read_label_map(file: Path, named: Bool[np.ndarray, " 65536"]) -> tuple[Int32[np.ndarray, "h w"], bool]:
    """The numbers of a map in Broden's code, ``R + 256 G``, and whether all of them are ``named``.

    Raises:
        BadFileError: if the file cannot be read, has no colours, or has any blue, which this code does not use.
    """
    colors = plain_pixels(file)
    if colors is None or colors.ndim != 3:
        colors = np.asarray(read_colors(file))
    numbers = np.empty(colors.shape[:2], np.int32)
    all_named, blue = _decode(colors, named, numbers)
    if blue:
        raise BadFileError(
            file, f"a pixel has {blue} of blue; in Broden's code, number = R + 256 G, it is 0: write it in that code"
        )
    return numbers, bool(all_named)


def named_numbers(numbers: Collection[int]) -> Bool[np.ndarray, " 65536"]:
    """Whether each number of Broden's code may be on a label map: 0 may, and if there are no names, all may."""
    named = np.full(2**16, not numbers)
    named[[0, *numbers]] = True
    return named


def read_colors(file: Path) -> Image.Image:
    """A label map whose numbers are coded as colours.

    Raises:
        BadFileError: if the file cannot be read or has no colours.
    """
    image = read_label_image(file)
    if image.mode not in {"RGB", "RGBA"}:
        raise BadFileError(file, f"an image of mode {image.mode} was found; RGB is needed, number = R + 256 G")
    return image


def read_label_image(file: Path) -> Image.Image:
    """A label map as an image, with its stored values.

    Raises:
        BadFileError: if the file cannot be read, or does not keep numbers.
    """
    try:
        return open_image(file)
    except PhotographError as error:
        raise bad_image(file, error) from error


def color_numbers(image: Image.Image) -> Int32[np.ndarray, "h w"]:
    """Numbers of three bytes in a colour: ``R + 256 G + 65536 B``."""
    channels = np.asarray(image).astype(np.int32)
    return channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]


def label_map(numbers: Int32[np.ndarray, "h w"], *, compress_level: int = 6) -> bytes:
    """A label map in Broden's code, as the content of a PNG; numbers are from 0 to 65535."""
    channels = np.stack([numbers % 256, numbers // 256, np.zeros_like(numbers)], axis=-1)
    encoded = io.BytesIO()
    Image.fromarray(channels.astype(np.uint8)).save(encoded, "PNG", compress_level=compress_level)
    return encoded.getvalue()


def read_index_mask(file: Path) -> Int32[np.ndarray, "h w"]:
    """An image whose stored values are the numbers: palette, or grey of 1 to 16 bits.

    Raises:
        BadFileError: if the file cannot be read or has colours instead of numbers.
    """
    grey = plain_pixels(file)
    if grey is None or grey.ndim != 2:
        return index_numbers(file, read_label_image(file))
    return grey.astype(np.int32)


def index_numbers(file: Path, image: Image.Image) -> Int32[np.ndarray, "h w"]:
    """The numbers of an index mask that was read from ``file``.

    Raises:
        BadFileError: if it has colours instead of numbers.
    """
    if image.mode not in _INDEX_MODES:
        raise BadFileError(
            file, f"an image of mode {image.mode} was found; an index mask is needed (palette or grey, value = number)"
        )
    return np.asarray(image).astype(np.int32)


def shrink(numbers: Integer[np.ndarray, "h w"], height: int, width: int) -> Integer[np.ndarray, "height width"]:
    """Resize a label map, by nearest neighbour at half-pixel centres."""
    return np.asarray(Image.fromarray(numbers).resize((width, height), Image.Resampling.NEAREST))


def check_numbers(file: Path, numbers: Int32[np.ndarray, "h w"], known: Collection[int], table: str) -> None:
    """Raise a ``BadFileError`` if a label other than 0 has no name; with no names at all, every label passes."""
    present = (
        np.flatnonzero(np.bincount(numbers.ravel())).tolist() if numbers.min(initial=0) >= 0 else np.unique(numbers)
    )
    unknown = [int(number) for number in present if known and number and number not in known]
    if unknown:
        shown = ", ".join(map(str, unknown[:_SHOWN])) + (" and others" if len(unknown) > _SHOWN else "")
        raise BadFileError(file, f"label {shown} was found, which {table} does not name; name it there or use 0 (none)")


def check_size(file: Path, size: tuple[int, int], expected_size: tuple[int, int], source: str) -> None:
    """Raise a ``BadFileError`` if a (height, width) is not the one that ``source`` states."""
    if size != expected_size:
        turned = "; the photograph's EXIF orientation may turn it" if size == expected_size[::-1] else ""
        raise BadFileError(
            file,
            f"it is {size[1]} pixels wide and {size[0]} high; "
            f"{expected_size[1]} by {expected_size[0]} is needed, as {source}{turned}",
        )


def read_photograph(file: Path) -> Image.Image:
    """Open a dataset's photograph as ``open_photograph`` does, with a ``BadFileError`` for an error."""
    try:
        return open_photograph(file)
    except PhotographError as error:
        raise bad_image(file, error) from error


def read_photograph_of(file: Path, size: tuple[int, int], source: str) -> Image.Image:
    """A photograph that must have the (height, width) that ``source`` states.

    Raises:
        BadFileError: if it cannot be read or is of another size.
    """
    photograph = read_photograph(file)
    check_size(file, (photograph.height, photograph.width), size, source)
    return photograph


def bad_image(file: Path, error: PhotographError) -> BadFileError:
    """The same error as a ``BadFileError``."""
    return BadFileError(file, str(error).removeprefix(f"{file}: "))


@kernel
def _decode(
    colors: UInt8[np.ndarray, "h w channels"], named: Bool[np.ndarray, " 65536"], numbers: Int32[np.ndarray, "h w"]
) -> tuple[bool, int]:
    all_named, blue = True, 0
    for y in range(colors.shape[0]):
        for x in range(colors.shape[1]):
            number = np.int32(colors[y, x, 0]) + 256 * np.int32(colors[y, x, 1])
            numbers[y, x] = number
            all_named &= named[number]
            blue |= colors[y, x, 2]
    return all_named, blue
