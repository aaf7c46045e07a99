"""An explanation as one matplotlib figure, for papers, loggers and notebooks."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from dissection.plain_text import visible
from neuronexplain.answer import AnswerPair
from neuronexplain.caption import CaptionAnswer

from .overlay import concept_picture, method_picture, overlay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Float32
    from matplotlib.figure import Figure
    from PIL import Image

    from neuronexplain.answer import Answer
    from neuronexplain.caption import AnyAnswer

_COLUMNS = 4
_TILE = 2.6
"""Width of a picture in inches."""
_LETTERS = 100
"""Letters in a line of the sentence."""
_LINE = 0.24
"""Height of such a line in inches."""


def figure(explanation: AnyAnswer) -> Figure:
    """The photograph, its heat maps, other methods' maps and where the named neurons light up, under what is said.

    Of two targets, that is what speaks for each rather than the other; of a caption, why each word is said.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - see neuronexplain.pictures.overlay

    answers: Sequence[Answer]
    whole: list[tuple[Image.Image, str]] = []
    if isinstance(explanation, CaptionAnswer):
        answers = [answer for _, answer in explanation.explained]
        statements = [f"“{explanation.caption}”", explanation.sentence]
        whole = [(overlay(explanation.photograph, explanation.heatmap), "Evidence for the whole caption")]
        photograph = explanation.photograph
    elif isinstance(explanation, AnswerPair):
        answers, photograph = explanation.answers, explanation.answers[0].photograph
        statements = [contrast.sentence for contrast in explanation.contrasts]
    else:
        answers, photograph, statements = [explanation], explanation.photograph, [explanation.sentence]
    tiles = [(photograph, "What the network saw"), *whole, *_maps(answers), *_concepts(answers)]
    rows = -(-len(tiles) // _COLUMNS)
    tall = _TILE * photograph.height / photograph.width
    sentence = "\n".join(fill(visible(statement), _LETTERS) for statement in statements)
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
    # Without pyplot notebooks show no figure. A subclass with this method would do, but Gradio takes no subclass.
    drawn._repr_png_ = partial(_png, drawn)  # type: ignore[attr-defined]
    return drawn


def _png(figure: Figure) -> bytes:
    encoded = BytesIO()
    figure.savefig(encoded, format="png")
    return encoded.getvalue()


def _maps(answers: Sequence[Answer]) -> Iterator[tuple[Image.Image, str]]:
    for answer in answers:
        yield overlay(answer.photograph, answer.heatmap), f"Evidence for {answer.target.label}"
        for other in answer.others:
            title = other.method.title if len(answers) == 1 else f"{other.method.title}, {answer.target.label}"
            yield method_picture(answer.photograph, other), title


def _concepts(answers: Sequence[Answer]) -> Iterator[tuple[Image.Image, str]]:
    """Where the neurons of each name light up; of two answers, the strongest of both."""
    masks: dict[str, Float32[np.ndarray, "h w"]] = {}
    for answer in answers:
        for concept, mask in answer.masks.items():
            masks[concept] = np.maximum(masks[concept], mask) if concept in masks else mask
    for concept, mask in masks.items():
        if (mask > 1).any():
            yield concept_picture(answers[0].photograph, mask), f"{answers[0].noun.capitalize()}s named {concept}"
