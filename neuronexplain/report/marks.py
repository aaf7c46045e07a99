"""A sentence in pieces: the words that have pixels in the photograph, and what stands between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from neuronexplain.phrases import phrase
from neuronexplain.sentence import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.vocabulary import Meaning
    from neuronexplain.answer import Answer

    from .inline_pictures import ConceptMap

_PRIVATE = range(0xE000, 0xF900)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence; ``number`` is that of the concept map whose pixels it speaks of, if there is one."""

    text: str
    number: int | None


def marked(explanation: Answer, maps: Sequence[ConceptMap]) -> list[Piece]:
    """An explanation's sentence, cut where it mentions a concept whose neurons are lit."""
    sentence = explanation.sentence
    fence = next(chr(code) for code in _PRIVATE if chr(code) not in sentence)
    numbers = {concept_map.concept: concept_map.number for concept_map in maps}

    def fenced(meaning: Meaning) -> str:
        number = numbers.get(meaning.spoken)
        return phrase(meaning) if number is None else f"{fence}{number} {phrase(meaning)}{fence}"

    said = say(explanation, mention=fenced)
    pieces = re.sub(f"“{fence}(\\d+) ([^{fence}]*){fence}”", f"{fence}\\1 “\\2”{fence}", said).split(fence)
    between = [Piece(text, None) for text in pieces[::2]]
    mentions = [Piece(text.partition(" ")[2], int(text.partition(" ")[0])) for text in pieces[1::2]]
    return [piece for piece in chain(*zip(between, [*mentions, Piece("", None)], strict=True)) if piece.text]
