"""What datasets in a folder of their own have in common."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from dissection.files.paths import readable

from .notes import notes_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dissection.vocabulary import Concept

    from .notes import Notes


class Folder:
    """The part of a ``ConceptDataset`` that is not about images: its name, vocabulary and notes.

    Args:
        root: the folder.
        concepts: by label number, ascending.
        synonyms: other words for a concept, by label number.
    """

    def __init__(
        self,
        root: Path,
        concepts: Mapping[int, Concept],
        synonyms: Mapping[int, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._root = root
        self._concepts = {
            number: replace(concept, name=readable(concept.name), category=readable(concept.category))
            for number, concept in concepts.items()
        }
        self._synonyms = {number: tuple(map(readable, words)) for number, words in synonyms.items()}

    @property
    def name(self) -> str:
        """The folder's name."""
        return readable(self._root.resolve().name)

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """Every concept by its label number."""
        return self._concepts

    @property
    def categories(self) -> Sequence[str]:
        """The categories, in the order of their lowest label numbers."""
        return tuple(dict.fromkeys(concept.category for concept in self._concepts.values()))

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """Other words for a concept, by label number."""
        return self._synonyms

    @property
    def notes(self) -> Notes:
        """The files on licence and origin in the folder."""
        return notes_in(self._root)
