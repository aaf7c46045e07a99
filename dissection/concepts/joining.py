"""Several concept datasets as one, with one vocabulary in which synonyms are one concept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dissection.errors import ConceptDataError
from dissection.vocabulary import Concept, Labels

from .csv_tables import LARGEST
from .fingerprints import fingerprint_extra
from .notes import notes_of
from .synonyms import synonyms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Int32
    from PIL import Image

    from .dataset import ConceptDataset
    from .notes import Notes


class Joined:
    """Datasets one after another, as a ``ConceptDataset``.

    Concepts of the same category whose spoken names agree in lower case become one; labels are renumbered, category by
    category. The dataset's name is put before its images' names. No labels are added: a category that only one dataset
    has is labelled only on the images of that dataset.

    Args:
        datasets: the datasets to join, at least one.
        synonyms: words and their replacements.
    """

    def __init__(self, datasets: Sequence[ConceptDataset], synonyms: Mapping[str, str]) -> None:
        self._datasets = datasets
        self._prefixes = _distinct([dataset.name for dataset in datasets])
        self._starts = np.cumsum([0, *(len(dataset) for dataset in datasets)])
        self._synonyms = synonyms
        self._concepts = self._numbered()
        numbers = {(concept.name, concept.category): number for number, concept in self._concepts.items()}
        self._numbers = [
            {old: numbers[self._key(concept)] for old, concept in dataset.concepts.items()} for dataset in datasets
        ]
        self._tables = [_table(numbers) for numbers in self._numbers]

    @property
    def name(self) -> str:
        """The names of the datasets."""
        return " + ".join(self._prefixes)

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """The one vocabulary."""
        return self._concepts

    @property
    def categories(self) -> Sequence[str]:
        """The categories, in the order in which the datasets introduce them."""
        return tuple(dict.fromkeys(category for dataset in self._datasets for category in dataset.categories))

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """The datasets' other names for a concept, and their synonyms for it."""
        words: dict[int, dict[str, None]] = {}
        for dataset, numbers in zip(self._datasets, self._numbers, strict=True):
            dataset_words = synonyms_of(dataset)
            for old, number in numbers.items():
                concept = dataset.concepts[old]
                candidates = (concept.spoken, *(word for word in dataset_words.get(old, ()) if word != concept.name))
                new = (word for word in candidates if word.lower() != self._concepts[number].name)
                words.setdefault(number, {}).update(dict.fromkeys(new))
        return {number: tuple(others) for number, others in words.items() if others}

    @property
    def replaced(self) -> Mapping[str, str]:
        """The synonyms that occur, and their replacements."""
        names = {concept.spoken.lower() for dataset in self._datasets for concept in dataset.concepts.values()}
        return {word: replacement for word, replacement in self._synonyms.items() if word in names}

    @property
    def merged(self) -> Mapping[str, tuple[str, ...]]:
        """Concepts of one dataset that are now one, by its name: they differ in case, or have a common synonym."""
        words: dict[str, dict[str, None]] = {}
        for dataset, numbers in zip(self._datasets, self._numbers, strict=True):
            by_number: dict[int, list[str]] = {}
            for old, number in numbers.items():
                by_number.setdefault(number, []).append(dataset.concepts[old].name)
            for number, names in by_number.items():
                if len(names) > 1:
                    words.setdefault(self._concepts[number].name, {}).update(dict.fromkeys(names))
        return {name: tuple(names) for name, names in words.items()}

    @property
    def notes(self) -> Notes:
        """The notes of all datasets; the dataset is part of each file's name."""
        return {
            f"{Path(name).stem}-{prefix}{Path(name).suffix}": content
            for prefix, dataset in zip(self._prefixes, self._datasets, strict=True)
            for name, content in notes_of(dataset).items()
        }

    def __len__(self) -> int:
        return int(self._starts[-1])

    def image_name(self, index: int) -> str:
        """The dataset's name and the image's name in it."""
        source, place = self._place(index)
        return f"{self._prefixes[source]}/{self._datasets[source].image_name(place)}"

    def photograph(self, index: int) -> Image.Image:
        """As in its dataset."""
        source, place = self._place(index)
        return self._datasets[source].photograph(place)

    def labels(self, index: int) -> Labels:
        """As in its dataset, under the numbers of the one vocabulary."""
        source, place = self._place(index)
        labels = self._datasets[source].labels(place)
        whole = dict.fromkeys(self._numbers[source][number] for number in labels.whole)
        return Labels(self._tables[source][labels.maps], tuple(whole))

    def files(self, index: int) -> Sequence[Path]:
        """As in its dataset."""
        source, place = self._place(index)
        return self._datasets[source].files(place)

    def fingerprint_extra(self, index: int) -> str:
        """As in its dataset, with the new label numbers; the vocabulary covers the replaced words."""
        source, place = self._place(index)
        return f"{sorted(self._numbers[source].items())} {fingerprint_extra(self._datasets[source], place)}"

    def _place(self, index: int) -> tuple[int, int]:
        source = int(np.searchsorted(self._starts, index, side="right")) - 1
        return source, index - int(self._starts[source])

    def _key(self, concept: Concept) -> tuple[str, str]:
        name = concept.spoken.lower()
        return self._synonyms.get(name, name), concept.category

    def _numbered(self) -> dict[int, Concept]:
        keys = dict.fromkeys(self._key(concept) for dataset in self._datasets for concept in dataset.concepts.values())
        order = {category: place for place, category in enumerate(self.categories)}
        ordered = sorted(keys, key=lambda key: order[key[1]])
        if len(ordered) > LARGEST:
            raise ConceptDataError(
                f"{len(ordered)} concepts are too many for label maps; at most {LARGEST} fit: leave some out"
            )
        return {number: Concept(number, *key) for number, key in enumerate(ordered, start=1)}


def _table(numbers: Mapping[int, int]) -> Int32[np.ndarray, " numbers"]:
    """New label numbers by old ones; 0 stays 0."""
    table = np.zeros(max(numbers) + 1, np.int32)
    table[list(numbers)] = list(numbers.values())
    return table


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number added to those already taken."""
    taken: list[str] = []
    for name in names:
        candidates = (name, *(f"{name}-{number}" for number in range(2, len(names) + 1)))
        taken.append(next(new for new in candidates if new.casefold() not in {old.casefold() for old in taken}))
    return taken
