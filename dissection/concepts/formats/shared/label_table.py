"""What a published dataset calls its codes, as concepts with numbers of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.label_maps import check_numbers, shrink
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from jaxtyping import Int32


@dataclass(frozen=True, slots=True)
class Label:
    """What a dataset calls one of its codes: synonyms between commas, the first of which is the name."""

    category: str
    code: int
    names: str


def plain(name: str) -> str:
    """A name as people write it: spaces instead of underscores, none of them double."""
    return " ".join(name.replace("_", " ").split())


class LabelTable:
    """Concepts out of a dataset's labels, numbered from 1 in their order.

    Labels of one category and one name are one concept. Where two labels only begin with the same synonym, the later
    one shows its second in brackets: ``plant`` and ``plant (works)``.

    Args:
        labels: every code that has a name; a name that holds nothing but spaces is none.
        table: where the names are from, for the errors.
        ignored: codes that mean "not labelled", in any category; so does 0 where it has no name.
    """

    def __init__(self, labels: Iterable[Label], table: str, *, ignored: Collection[int] = ()) -> None:
        self._table = table
        self._ignored = frozenset(ignored)
        self._numbers: dict[str, dict[int, int]] = {}
        self._concepts: dict[int, Concept] = {}
        self._synonyms: dict[int, tuple[str, ...]] = {}
        self._taken: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
        for label in labels:
            names = tuple(dict.fromkeys(name for name in map(plain, label.names.split(",")) if name))
            if names:
                number = self._number(label.category, names)
                self._numbers.setdefault(label.category, {})[label.code] = number

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """By number, ascending."""
        return self._concepts

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """Other words for a concept, by number; those without any are missing."""
        return self._synonyms

    def codes(self, category: str) -> Mapping[int, int]:
        """The number of each code of a category."""
        return self._numbers.get(category, {})

    def label_map(
        self, file: Path, codes: Int32[np.ndarray, "h w"], category: str, size: int
    ) -> Int32[np.ndarray, "size size"]:
        """Numbers instead of the codes that ``file`` holds, at the label maps' size.

        Raises:
            BadFileError: for a code without a name.
        """
        numbers = self.codes(category)
        check_numbers(file, codes, self._ignored | {0, *numbers}, self._table)
        table = np.zeros(int(codes.max(initial=0)) + 1, np.int32)
        for code, number in numbers.items():
            if code < len(table):
                table[code] = number
        numbered: Int32[np.ndarray, "size size"] = table[shrink(codes, size, size)]
        return numbered

    def _number(self, category: str, names: tuple[str, ...]) -> int:
        name = names[0]
        number, others = self._taken.get((category, name), (0, names))
        if others != names and len(names) > 1:
            name = f"{name} ({names[1]})"
            number, _ = self._taken.get((category, name), (0, names))
        return number or self._add(Concept(len(self._concepts) + 1, name, category), names)

    def _add(self, concept: Concept, names: tuple[str, ...]) -> int:
        self._taken[concept.category, concept.name] = (concept.number, names)
        self._concepts[concept.number] = concept
        if len(names) > 1:
            self._synonyms[concept.number] = names[1:]
        return concept.number
