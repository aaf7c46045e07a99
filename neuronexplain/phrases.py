"""How concepts, classes and shares are worded where people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dissection.vocabulary import Concept, Meaning


def phrase(meaning: Meaning) -> str:
    """A concept, or a formula of several, as a sentence words it.

    >>> from dissection.vocabulary import Concept, Formula
    >>> striped, cloth = Concept(7, "striped", "texture"), Concept(8, "cloth", "material")
    >>> phrase(striped), phrase(Formula(striped, (("and not", cloth),)))
    ('striped texture', 'striped texture but not cloth')
    """
    return meaning.worded(_phrase)


def _phrase(concept: Concept) -> str:
    return {"texture": f"{concept.spoken} texture", "scene": f"{concept.spoken} scenery"}.get(
        concept.category, concept.spoken
    )


def spoken(label: str) -> str:
    """A class label as a sentence words it: the first of its synonyms, without underscores.

    >>> spoken("great_white_shark, white shark"), spoken("/b/beer_hall")
    ('great white shark', 'beer hall')
    """
    return re.sub(r"^/[a-z]/", "", label.partition(",")[0]).replace("_", " ").strip()


def enumerate_words(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as an English list.

    >>> enumerate_words(["sand", "sea", "sky"])
    'sand, sea and sky'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def quoted(phrases: Collection[str], formulas: Collection[str]) -> list[str]:
    """Phrases, of which formulas among others are in quotation marks, so that it is seen where they end.

    >>> quoted(["bus or car"], ["bus or car"]), quoted(["sea", "bus or car"], ["bus or car"])
    (['bus or car'], ['sea', '“bus or car”'])
    """
    return [f"“{phrase}”" if phrase in formulas and len(phrases) > 1 else phrase for phrase in phrases]


def with_truths(truths: Mapping[str, float | None], formulas: Collection[str]) -> list[str]:
    """Phrases, :func:`quoted`, each with its truth where that is known.

    >>> with_truths({"sand": 0.84, "sea": None}, [])
    ['sand (84%)', 'sea']
    """
    return [
        shown if truth is None else f"{shown} ({percent(truth)})"
        for shown, truth in zip(quoted(truths, formulas), truths.values(), strict=True)
    ]


def percent(probability: float) -> str:
    """A probability in whole per cent that never rounds to certainty.

    >>> percent(0.9999), percent(0.42), percent(0.001)
    ('over 99%', '42%', 'under 1%')
    """
    if probability > 0.99:
        return "over 99%"
    if probability < 0.01:
        return "under 1%"
    return f"{probability:.0%}"
