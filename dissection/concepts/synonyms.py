"""Synonyms: a dataset's other words for its concepts, and words that become one when datasets are joined."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .csv_tables import read_table
from .problems import BadFileError, stop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .csv_tables import CsvRow
    from .dataset import ConceptDataset

SYNONYMS = Path(__file__).with_name("synonyms.csv")
"""The table of synonyms that comes with the package."""


@runtime_checkable
class Worded(Protocol):
    """A dataset that has other words for its concepts."""

    @property
    def synonyms(self) -> Mapping[int, tuple[str, ...]]:
        """Other words, by label number."""
        ...


def synonyms_of(dataset: ConceptDataset) -> Mapping[int, tuple[str, ...]]:
    """The other words of a dataset, by label number; none if it has none."""
    return dataset.synonyms if isinstance(dataset, Worded) else {}


def read_synonyms(file: Path = SYNONYMS) -> dict[str, str]:
    """Words and their replacements, from a table with the columns ``from`` and ``to``.

    Raises:
        ConceptDataError: if it is not such a table, or a word is replaced twice or by one that is itself replaced.
    """
    synonyms: dict[str, str] = {}

    def parse(row: CsvRow) -> None:
        word = row.text("from").lower()
        if word in synonyms:
            raise row.bad(f"{word!r} appears twice; remove one")
        synonyms[word] = row.text("to").lower()

    for _ in read_table(file, ("from", "to"), parse, stop):
        pass
    for word, replacement in synonyms.items():
        if replacement in synonyms:
            raise BadFileError(
                file, f"{word!r} becomes {replacement!r}, which becomes {synonyms[replacement]!r}; replace it directly"
            )
    return synonyms
