"""What the classes of a model are called, as concepts.

A pixel has one of a model's words, so all of them get one category, by default ``object``: that is what COCO's things
and stuff, and ADE20K's words, are here. What no word names (``background``, ``N/A``, ``LABEL_7``) is not labelled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.csv_tables import LARGEST
from dissection.concepts.formats.shared.coco_words import coco_names
from dissection.concepts.synonyms import read_synonyms
from dissection.errors import NetworkError
from dissection.files.paths import readable
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jaxtyping import Int32

CATEGORY = "object"

_NOTHING = frozenset(
    (
        "",
        "-",
        "__background__",
        "background",
        "ignore",
        "n/a",
        "none",
        "other",
        "unknown",
        "unlabeled",
        "unlabelled",
        "void",
    )
)
_PLACEHOLDER = re.compile(r"(label|class)[_ ]\d+", re.IGNORECASE)
_OF_COCO = ("-merged", "-stuff")
_NEAR = 3


@dataclass(frozen=True, slots=True, eq=False)
class ClassWords:
    """The words of a model.

    Attributes:
        concepts: by label number, from 1.
        synonyms: other words for a concept, by label number.
        numbers: the label number of each class of the model; 0 for those that are not labelled.
    """

    concepts: Mapping[int, Concept]
    synonyms: Mapping[int, tuple[str, ...]]
    numbers: Int32[np.ndarray, " classes"]


def class_words(labels: Sequence[str], model: str, *, category: str = CATEGORY, only: Sequence[str] = ()) -> ClassWords:
    """The words that a model's labels stand for; classes of the same name are one concept.

    Args:
        labels: the model's labels by class; several names with commas between them are synonyms.
        model: the model's name, for errors.
        category: of all words.
        only: the words to keep, if not all: names, or synonyms of them.

    Raises:
        NetworkError: if no label names anything, or a word to keep is not among them.
    """
    names = [[" ".join(readable(name).split()) for name in re.split("[,;]", label)] for label in _spoken(labels)]
    firsts = ["" if _is_nothing(first) else first for first, *_ in names]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(map(str.casefold, filter(None, firsts))), 1)}
    if not numbers:
        raise NetworkError(f"{model} has no words for its {len(labels)} classes; name them: --classes FILE, one a line")
    if len(numbers) > LARGEST:
        raise NetworkError(f"{model} has {len(numbers)} words; label maps hold at most {LARGEST}")
    concepts, synonyms = dict[int, Concept](), dict[int, tuple[str, ...]]()
    for (_, *others), name in zip(names, firsts, strict=True):
        if name and (number := numbers[name.casefold()]) not in concepts:
            concepts[number] = Concept(number, name, category)
            synonyms[number] = tuple(filter(None, others))
    kept = _kept(concepts, synonyms, only, model) if only else set(concepts)
    by_class = [numbers[name.casefold()] if name else 0 for name in firsts]
    return ClassWords(
        {number: concept for number, concept in concepts.items() if number in kept},
        {number: words for number, words in synonyms.items() if number in kept and words},
        np.array([number if number in kept else 0 for number in by_class], np.int32),
    )


def asked_words(words: Sequence[str], *, category: str = CATEGORY) -> ClassWords:
    """The words that a model is asked for, as its classes; the same word in upper and lower case is one."""
    unique = {word.casefold(): word for word in reversed(words)}
    asked = [unique[key] for key in dict.fromkeys(map(str.casefold, words))]
    concepts = {number: Concept(number, readable(word), category) for number, word in enumerate(asked, 1)}
    return ClassWords(concepts, {}, np.arange(1, len(asked) + 1, dtype=np.int32))


def words_in(text: str) -> tuple[str, ...]:
    """Words between commas, each once.

    >>> words_in("stethoscope, white coat,hair, ")
    ('stethoscope', 'white coat', 'hair')
    """
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := " ".join(part.split()))))


def _spoken(labels: Sequence[str]) -> Sequence[str]:
    """The labels; those of COCO's panoptic classes (``floor-other-merged``) as people say them."""
    return coco_names(labels) if any(label.endswith(_OF_COCO) for label in labels) else labels


def _is_nothing(name: str) -> bool:
    return name.casefold() in _NOTHING or _PLACEHOLDER.fullmatch(name) is not None


def _kept(
    concepts: Mapping[int, Concept], synonyms: Mapping[int, Sequence[str]], only: Iterable[str], model: str
) -> set[int]:
    """The numbers of the words to keep."""
    table = read_synonyms()
    known = {
        table.get(word.casefold(), word.casefold()): number
        for number, concept in concepts.items()
        for word in (*synonyms.get(number, ()), concept.name)
    }
    kept = set()
    for word in only:
        key = table.get(word.casefold(), word.casefold())
        if key not in known:
            near = get_close_matches(key, known, _NEAR, 0.5) or list(known)[:_NEAR]
            raise NetworkError(
                f"{model} has no word {word!r}; choose one of its {len(concepts)}, such as {', '.join(near)}"
            )
        kept.add(known[key])
    return kept
