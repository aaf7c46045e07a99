"""Which words of a caption mean which objects, and of what kind a word is.

A table is a CSV file with the columns ``word`` and ``object``. A word may be several: each of the words of "hot dog"
means a hot dog, and neither a dog. Where the object is empty, the words mean nothing that could be pointed at, as those
of "couple of". Every form of a word has a line of its own. ``coco_words.csv`` holds words for COCO's 80 categories; it
leaves out words that mostly mean something else ("orange" is a colour, "oranges" are fruit).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import read_table
from dissection.concepts.problems import BadFileError, stop

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from dissection.concepts.csv_tables import CsvRow

THING, OTHER = "thing", "other"
"""The kinds of words that mean an object, and of those that do not, where no others are known."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class WordTable:
    """Words and their objects.

    Attributes:
        objects: what words mean, by the words in small letters; empty if they mean nothing.
        kinds: the kind of each word that captions are made of, if that is known: they are built alike then.
    """

    objects: Mapping[tuple[str, ...], str]
    kinds: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, objects: Collection[str] | None = None) -> Self:
        """Read a table, for a dataset with these objects if they are known.

        Raises:
            BadFileError: if the file is no such table, a word has two objects, or one is not in the data.
        """
        meanings: dict[tuple[str, ...], str] = {}
        for row, words, name in read_table(file, ("word", "object"), _entry, stop):
            if objects is not None and name and name not in objects:
                known = ", ".join([*objects][:_SHOWN]) + (", ..." if len(objects) > _SHOWN else "")
                raise row.bad(f"the data has no object {name!r}; choose one of {known}")
            if meanings.setdefault(words, name) != name:
                raise row.bad(f"{' '.join(words)!r} means {meanings[words]!r} too; leave one of them out")
            meanings[words] = name
        if not meanings:
            raise BadFileError(file, "it has no lines; a word and its object are needed in at least one")
        return cls(meanings)

    @classmethod
    def of_coco(cls) -> Self:
        """Words for COCO's 80 categories."""
        home = resources.files(__name__.rpartition(".")[0])
        with resources.as_file(home.joinpath("coco_words.csv")) as file:
            return cls.read(file)

    def meanings(self, words: Sequence[str]) -> list[str | None]:
        """The object that each word of a caption means, where it means one; the longest entry of the table decides."""
        folded = [word.casefold() for word in words]
        meanings: list[str | None] = []
        longest = max(map(len, self.objects), default=1)
        while len(meanings) < len(folded):
            rest = folded[len(meanings) : len(meanings) + longest]
            length = next((n for n in range(len(rest), 0, -1) if tuple(rest[:n]) in self.objects), 1)
            meanings += [self.objects.get(tuple(rest[:length])) or None] * length
        return meanings

    def kinds_of(self, words: Sequence[str]) -> list[str]:
        """The kind of each word of a caption."""
        return [
            self.kinds.get(word.casefold(), THING if meaning else OTHER)
            for word, meaning in zip(words, self.meanings(words), strict=True)
        ]

    @property
    def digest(self) -> str:
        """sha256 of the table."""
        lines = [*sorted(self.objects.items()), *sorted(self.kinds.items())]
        return hashlib.sha256(repr(lines).encode()).hexdigest()


def _entry(row: CsvRow) -> tuple[CsvRow, tuple[str, ...], str]:
    return row, tuple(row.text("word").casefold().split()), row.cells["object"]
