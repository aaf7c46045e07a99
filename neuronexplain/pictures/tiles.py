"""Pictures side by side, each over its caption."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from dissection.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TILE = 180
_GAP = 8
_LETTER = 13
_LINE = 16

_PIECE = re.compile(r"\s*[^\s._/]*[._/]*")
"""A word, or a part of a name such as features.3.squeeze_activation."""

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
Tile = tuple[Image.Image | None, str]
"""A picture and its caption, of one line or several; None leaves the tile empty."""


def sheet(rows: Iterable[Sequence[Tile]], *, tile: int = TILE) -> Image.Image:
    """Rows of pictures, each squashed to a square of ``tile`` pixels; a row is as high as its longest caption needs."""
    font = ImageFont.load_default(_LETTER)
    wrapped = [[(picture, _wrapped(caption, font, tile)) for picture, caption in row] for row in rows]
    captions = [max((len(lines) for _, lines in row), default=0) * _LINE for row in wrapped]
    width = max(map(len, wrapped)) * (tile + _GAP) - _GAP
    page = Image.new("RGB", (width, sum(tile + caption + _GAP for caption in captions) - _GAP), "white")
    pen, top = ImageDraw.Draw(page), 0
    for row, room in zip(wrapped, captions, strict=True):
        for column, (picture, lines) in enumerate(row):
            left = column * (tile + _GAP)
            if picture is not None:
                page.paste(picture.convert("RGB").resize((tile, tile), Image.Resampling.BICUBIC), (left, top))
            for number, line in enumerate(lines):
                pen.text((left, top + tile + 1 + number * _LINE), line, fill="black", font=font)
        top += tile + room + _GAP
    return page


def _wrapped(caption: str, font: Font, width: int) -> list[str]:
    """A caption in lines that fit, broken between words and inside layer names."""
    lines: list[str] = []
    for paragraph in caption.split("\n") if caption else ():
        pieces = _PIECE.findall(visible(" ".join(paragraph.split())))
        while pieces:
            starts = ["".join(pieces[:count]).strip() for count in range(len(pieces), 0, -1)]
            line = next((start for start in starts if font.getlength(start) <= width), starts[-1])
            lines.append(line)
            pieces = pieces[len(pieces) - starts.index(line) :]
    return lines
