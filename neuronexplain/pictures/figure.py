"""An explanation as one matplotlib figure, for papers, loggers and notebooks."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from dissection.plain_text import visible

from .overlay import concept_picture, method_picture, overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure
    from PIL import Image

    from neuronexplain.answer import Answer

_COLUMNS = 4
_TILE = 2.6
"""Width of a picture in inches."""
_LETTERS = 100
"""Letters in a line of the sentence."""
_LINE = 0.24
"""Height of such a line in inches."""


def figure(explanation: Answer) -> Figure:
    """The photograph, its heat map, other methods' maps and where the named neurons light up, under the sentence."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - see neuronexplain.pictures.overlay

    tiles = list(_tiles(explanation))
    rows = -(-len(tiles) // _COLUMNS)
    tall = _TILE * explanation.photograph.height / explanation.photograph.width
    sentence = fill(visible(explanation.sentence), _LETTERS)
    room = _LINE * (sentence.count("\n") + 2)
    width, height = _TILE * _COLUMNS, (tall + 2 * _LINE) * rows + room
    drawn = Figure(figsize=(width, height), layout=None)
    drawn.text(0.02, 1 - _LINE / 2 / height, sentence, va="top", family="sans-serif", size=11, parse_math=False)
    for number, (picture, caption) in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
        left = (column * _TILE + 0.06) / width
        bottom = 1 - (room + (row + 1) * (tall + 2 * _LINE) - _LINE) / height
        axes = drawn.add_axes((left, bottom, (_TILE - 0.12) / width, tall / height))
        axes.imshow(picture)
        axes.set_axis_off()
        axes.set_title(visible(caption), size=9, parse_math=False, wrap=True)
    return drawn


def _tiles(explanation: Answer) -> Iterator[tuple[Image.Image, str]]:
    photograph, target = explanation.photograph, explanation.target.label
    yield photograph, "What the network saw"
    yield overlay(photograph, explanation.heatmap), f"Evidence for {target}"
    for method_map in explanation.others:
        yield method_picture(photograph, method_map), method_map.method.title
    for concept, mask in explanation.masks.items():
        if (mask > 1).any():
            yield concept_picture(photograph, mask), f"Neurons named {concept}"
