"""The folder that an audit writes: a page, the same as values for programs, and a note that says what it is.

The note is ``audit.json``. The web application lists the folders that have one. While files are being written, another
file says so: then the folder is not listed, and the next audit may write into it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from dissection.errors import OutputError
from dissection.files.atomic import replace_file, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from db.records import Run

AUDIT_PAGE = "index.html"
_NOTE, _UNFINISHED = "audit.json", ".audit-unfinished"
_FORMAT = 1
_LONGEST_NOTE = 10_000
"""Bytes: a note holds a few words, and a file that is longer is something else."""


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What an audit's page is about.

    Attributes:
        kind: the command that made it: ``mistakes``, ``groups`` and so on.
        title: the page's headline.
        network: name of the network, for people.
        run: digest of the key of the run whose names it speaks.
        created: day on which it was made, such as 2026-11-30.
    """

    kind: str
    title: str
    network: str
    run: str
    created: str

    @classmethod
    def of(cls, kind: str, title: str, run: Run) -> Self:
        """The note of a page that is made today."""
        return cls(kind, title, run.network, run.key.digest, f"{datetime.now(UTC):%F}")


def require_audit_folder(folder: Path) -> None:
    """Check that an audit may be written into a folder: before the work, which would be lost.

    Raises:
        OutputError: if it is a file, or holds a page that is not an audit's.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder} (it is a file); name a folder")
    if (folder / AUDIT_PAGE).exists() and not any((folder / name).exists() for name in (_NOTE, _UNFINISHED)):
        raise OutputError(f"{folder} holds a page that is not of an audit; name another folder")


def write_audit(folder: Path, note: AuditNote, page: str, files: Mapping[str, bytes]) -> None:
    """Write an audit's page and its other files, in place of those of an earlier audit.

    Args:
        folder: the folder; it is made if it is missing.
        note: what the page is about.
        page: the page, as HTML that loads nothing.
        files: contents of the other files, by name.

    Raises:
        OutputError: as :func:`require_audit_folder`, or if something cannot be written.
    """
    require_audit_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _UNFINISHED).touch()
        for name, content in files.items():
            replace_file(folder / name, content)
        replace_file(folder / AUDIT_PAGE, page.encode("utf-8", "replace"))  # a path may hold bytes that are not text
        replace_file(folder / _NOTE, json.dumps({"format": _FORMAT, **asdict(note)}, indent=2).encode())
        (folder / _UNFINISHED).unlink()
    except OSError as error:
        raise unwritable(folder, error) from error


def read_audit(folder: Path) -> AuditNote | None:
    """What the page in a folder is about; ``None`` where there is no whole page of an audit."""
    file = folder / _NOTE
    try:
        is_whole = (folder / AUDIT_PAGE).is_file() and not (folder / _UNFINISHED).exists()
        if not is_whole or file.stat().st_size > _LONGEST_NOTE:
            return None
        values = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or values.pop("format", None) != _FORMAT:
        return None
    fields = AuditNote.__dataclass_fields__
    is_note = values.keys() == fields.keys() and all(isinstance(value, str) for value in values.values())
    return AuditNote(**values) if is_note else None


def audits_in(folder: Path) -> Iterator[tuple[Path, AuditNote]]:
    """The folders in a folder that hold an audit's page, by name; before them the folder itself, if it does.

    Raises:
        OutputError: if the folder cannot be read.
    """
    try:
        candidates = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    except OSError as error:
        raise OutputError(f"{folder} cannot be read ({error.strerror}); name a folder of audits") from error
    for candidate in candidates:
        note = read_audit(candidate)
        if note is not None:
            yield candidate, note
