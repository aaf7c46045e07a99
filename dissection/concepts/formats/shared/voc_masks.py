"""The masks of PASCAL VOC: a class is known by its colour, and by its number only where there is no other colour.

VOC's masks have a palette in which the place of a colour is the number of its class. Tools that write them anew sort
the palette, or write the colours themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.label_maps import index_numbers, read_label_image
from dissection.concepts.problems import BadFileError

from .photograph_folder import read_lines
from .voc_classes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxtyping import Int32, Integer

Colour = tuple[int, int, int]

BOUNDARY = 255
"""VOC's "void": boundaries of objects, and objects that were too difficult."""

COLOURS_FILE = "labelmap.txt"
"""Where annotation tools write the colours of the classes, if they write any."""

_LINE = re.compile(r"([^:]+):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")


def voc_colour(code: int) -> Colour:
    """The colour of a class, as VOC's development kit makes it (``VOClabelcolormap``).

    >>> voc_colour(1), voc_colour(15), voc_colour(255)
    ((128, 0, 0), (192, 128, 128), (224, 224, 192))
    """
    red, green, blue = (
        sum(((code >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3)) for channel in range(3)
    )
    return red, green, blue


def read_colours(root: Path) -> Mapping[Colour, int]:
    """The class of each colour: VOC's, or those that an annotation tool says in ``labelmap.txt``.

    Raises:
        BadFileError: if that file cannot be read, or names classes that VOC does not have.
    """
    file = root / COLOURS_FILE
    if not file.exists():
        return {voc_colour(code): code for code in (*range(len(CLASSES) + 1), BOUNDARY)}
    codes = {"background": 0, "ignored": BOUNDARY, "void": BOUNDARY}
    codes |= {name: code for code, name in enumerate(CLASSES, start=1)}
    colours: dict[Colour, int] = {}
    for line in read_lines(file):
        if line.startswith("#"):
            continue
        entry = _LINE.fullmatch(line)
        if entry is None:
            raise BadFileError(file, f"{line[:40]!r} was found; a line like 'cat:64,0,0::' is needed")
        if entry[1] not in codes:
            raise BadFileError(
                file, f"{entry[1][:40]!r} is not one of VOC's classes; write index masks and concepts.csv (masks)"
            )
        colours[int(entry[2]), int(entry[3]), int(entry[4])] = codes[entry[1]]
    return colours


def read_voc_mask(file: Path, colours: Mapping[Colour, int]) -> Int32[np.ndarray, "h w"]:
    """The number of each pixel's class; 0 is background, 255 void.

    Grey masks hold the numbers. Masks with a palette or in RGB go by their colours, except where the palette is grey.

    Raises:
        BadFileError: if the file cannot be read, or a colour in it is of no class.
    """
    image = read_label_image(file)
    if image.mode == "P":
        indices = np.asarray(image)
        palette = np.array(image.getpalette("RGB"), np.int32).reshape(-1, 3)
        used = np.unique(indices)
        if used.max(initial=0) >= len(palette):
            raise BadFileError(
                file,
                f"its palette has {len(palette)} colours, and colour {used.max()} is used; save the mask again "
                "with its whole palette",
            )
        if (palette[used] == used[:, None]).all():
            return indices.astype(np.int32)
        table = np.zeros(256, np.int32)
        table[used] = _codes(file, palette[used], colours)
        codes: Int32[np.ndarray, "h w"] = table[indices]
        return codes
    if image.mode in {"RGB", "RGBA"}:
        pixels = np.asarray(image)[..., :3]
        present, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
        return _codes(file, present, colours)[places].reshape(pixels.shape[:2])
    return index_numbers(file, image)


def _codes(file: Path, present: Integer[np.ndarray, "colours 3"], colours: Mapping[Colour, int]) -> np.ndarray:
    """The class of each of these colours."""
    codes = []
    for red, green, blue in present.tolist():
        if (red, green, blue) not in colours:
            raise BadFileError(
                file, f"colour {red}, {green}, {blue} was found, which is of no class; use VOC's colours"
            )
        codes.append(colours[red, green, blue])
    return np.array(codes, np.int32)
