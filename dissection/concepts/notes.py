"""Notes on licence and origin, and on who made the labels, which go wherever the data go."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .problems import BadFileError

if TYPE_CHECKING:
    from pathlib import Path

    from .dataset import ConceptDataset

Notes = Mapping[str, bytes]
"""Contents by file name."""

GREATEST_LICENCE = 2000
"""Characters of a licence that are told; the rest is in the notes themselves."""

_LICENCES = re.compile(r"(licen[cs]e|copying).*", re.IGNORECASE)
_NOTES = re.compile(r"(licen[cs]e|copying|notice|readme|credits|attribution).*|model-labels.*\.json", re.IGNORECASE)


@runtime_checkable
class Noted(Protocol):
    """A dataset that has notes on licence and origin."""

    @property
    def notes(self) -> Notes:
        """Notes on licence and origin: files of the source, or one made from what it says."""
        ...


@runtime_checkable
class Remarked(Protocol):
    """A dataset that leaves out, or takes for something else, what its source holds."""

    @property
    def remarks(self) -> Sequence[str]:
        """What was left out or taken for something else, each in a sentence."""
        ...


def remarks_of(dataset: ConceptDataset) -> Sequence[str]:
    """The remarks of a dataset, if it has any."""
    return dataset.remarks if isinstance(dataset, Remarked) else ()


def notes_of(dataset: ConceptDataset) -> Notes:
    """The notes of a dataset, if it has any."""
    return dataset.notes if isinstance(dataset, Noted) else {}


def licence_of(dataset: ConceptDataset) -> str:
    """What a dataset's notes say of its licence, in at most `GREATEST_LICENCE` characters; empty if nothing."""
    licences = (content for name, content in notes_of(dataset).items() if _LICENCES.fullmatch(name))
    text = "\n\n".join(content.decode(errors="replace").replace("\0", "").strip() for content in licences)
    return text[:GREATEST_LICENCE]


def notes_in(folder: Path) -> dict[str, bytes]:
    """The files of a folder whose names say that they are notes (LICENSE, README.txt, ...).

    Raises:
        ConceptDataError: if one cannot be read.
    """
    files = (file for file in sorted(folder.iterdir()) if file.is_file() and _NOTES.fullmatch(file.name))
    return {file.name: _read(file) for file in files}


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); check its permissions") from error
