"""Pictures side by side, each over its caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TILE = 180
_GAP = 8
_LETTER = 13
_LINE = 16

Tile = tuple["Image.Image | None", str]
"""A picture and its caption, of one line or several; None leaves the place empty."""


def sheet(rows: Iterable[Sequence[Tile]], *, tile: int = TILE) -> Image.Image:
    """Rows of pictures, each squashed to a square of ``tile`` pixels; a row is as high as its longest caption needs."""
    rows = [list(row) for row in rows]
    font = ImageFont.load_default(_LETTER)
    captions = [max(caption.count("\n") + 1 if caption else 0 for _, caption in row) * _LINE for row in rows]
    width = max(map(len, rows)) * (tile + _GAP) - _GAP
    page = Image.new("RGB", (width, sum(tile + caption + _GAP for caption in captions) - _GAP), "white")
    pen, top = ImageDraw.Draw(page), 0
    for row, room in zip(rows, captions, strict=True):
        for column, (picture, caption) in enumerate(row):
            left = column * (tile + _GAP)
            if picture is not None:
                page.paste(picture.convert("RGB").resize((tile, tile), Image.Resampling.BICUBIC), (left, top))
            lines = "\n".join(_fitted(line, font, tile) for line in caption.split("\n"))
            pen.multiline_text((left, top + tile + 1), lines, fill="black", font=font, spacing=_LINE - _LETTER)
        top += tile + room + _GAP
    return page


def _fitted(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """As much of a line as there is room for."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line}…"
