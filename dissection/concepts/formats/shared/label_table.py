"""A published dataset's names for its codes, as numbered concepts."""

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
    """A dataset's names for one of its codes: synonyms separated by commas, the first of which is the name."""

    category: str
    code: int
    names: str


def plain(name: str) -> str:
    """A name as people write it: single spaces instead of underscores."""
    return " ".join(name.replace("_", " ").split())


class LabelTable:
    """Concepts made from a dataset's labels, numbered from 1 in their order.

    Labels with the same category and name are one concept. If two lists of synonyms share only the first ones, the
    later concept shows those that tell it apart in brackets: ``plant`` and ``plant (works)``. A list that another one
    begins with means the same.

    Args:
        labels: every code that has a name; a blank name is none.
        table: where the names are from, for error messages.
        ignored: codes that mean "not labelled", in any category; so does 0 if it has no name.
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
        """The concepts by number, ascending."""
        return self._concepts

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """Other words for a concept, by number; concepts without any are missing."""
        return self._synonyms

    def codes(self, category: str) -> Mapping[int, int]:
        """The number of each code of a category."""
        return self._numbers.get(category, {})

    def label_map(
        self, file: Path, codes: Int32[np.ndarray, "h w"], category: str, size: int
    ) -> Int32[np.ndarray, "size size"]:
        """The codes that ``file`` holds as label numbers, at the label maps' size.

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
        number = 0
        for shown in range(len(names)):
            name = f"{names[0]} ({', '.join(names[1 : shown + 1])})" if shown else names[0]
            number, taken_names = self._taken.get((category, name), (0, names))
            if taken_names == names:
                return number or self._add(Concept(len(self._concepts) + 1, name, category), names)
        return number

    def _add(self, concept: Concept, names: tuple[str, ...]) -> int:
        self._taken[concept.category, concept.name] = (concept.number, names)
        self._concepts[concept.number] = concept
        if len(names) > 1:
            self._synonyms[concept.number] = names[1:]
        return concept.number
