"""The part of a file that was received already, and the checks that it is whole and the rest belongs to it."""

from __future__ import annotations

import json
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STEP = 1 << 20
"""Bytes after which the note is written again; a killed process loses about as many."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What is known of a part.

    Attributes:
        source: the address of the bytes.
        validator: the server's, for all of them.
        length: how many were received.
        crc32: checksum of source, validator and the bytes received.
    """

    source: str
    validator: str
    length: int
    crc32: int

    @classmethod
    def of_none(cls, source: str, validator: str) -> Self:
        """The note before any bytes were received."""
        return cls(source, validator, 0, zlib.crc32(f"{source} {validator}".encode()))

    def with_more(self, content: bytes) -> Self:
        """The note after more bytes."""
        return replace(self, length=self.length + len(content), crc32=zlib.crc32(content, self.crc32))


class PartialFile:
    """A file beside its target that grows as bytes arrive.

    A note beside it gives the address of the bytes, the server's validator (ETag, or else Last-Modified), and how many
    were received, with their checksum. Without a validator nobody can tell whether the file on the server is still the
    same, and without the checksum whether the bytes are, so the file is fetched anew.

    Args:
        target: path of the whole file.
        source: address of the file; bytes from another address are discarded.
    """

    def __init__(self, target: Path, source: str) -> None:
        self.file = target.with_name(f"{target.name}.part")
        self._note_file = target.with_name(f"{target.name}.part.json")
        self._new_note_file = target.with_name(f"{target.name}.part.json.new")
        self._target = target
        self._source = source
        note = self._noted()
        if note is None:
            self.begin("")
        else:
            self._note = note

    @property
    def length(self) -> int:
        """Number of bytes received."""
        return self._note.length

    def request(self) -> dict[str, str]:
        """Headers that request the rest, or the whole file if it has changed on the server."""
        if not self.length or not self._note.validator:
            return {}
        return {"Range": f"bytes={self.length}-", "If-Range": self._note.validator}

    def continues(self, validator: str) -> bool:
        """Whether bytes with this validator belong to those received."""
        return bool(self._note.validator) and validator == self._note.validator

    def begin(self, validator: str) -> None:
        """Discard the bytes received, and expect bytes with this validator."""
        self.file.unlink(missing_ok=True)
        self._unlink_notes()
        self._note = _Note.of_none(self._source, validator)

    @contextmanager
    def growing(self) -> Iterator[Callable[[bytes], None]]:
        """A function that appends bytes; they are noted when the block ends, and now and then before."""
        with self.file.open("ab") as file:
            noted = self.length

            def append(content: bytes) -> None:
                nonlocal noted
                file.write(content)
                self._note = self._note.with_more(content)
                if self.length - noted >= _STEP:
                    file.flush()
                    self._write_note()
                    noted = self.length

            try:
                yield append
            finally:
                file.flush()
                self._write_note()

    def finish(self) -> None:
        """Give the whole file its name."""
        self.file.replace(self._target)
        self._unlink_notes()

    def _noted(self) -> _Note | None:
        """An earlier process's note, if it fits this source and the bytes; those that came after it are cut off."""
        try:
            stated = _Note(**json.loads(self._note_file.read_bytes()))
            note = _Note.of_none(self._source, stated.validator)
            with self.file.open("r+b") as file:
                while chunk := file.read(min(_STEP, stated.length - note.length)):
                    note = note.with_more(chunk)
                if self.file.is_symlink() or note != stated:
                    return None
                file.truncate(note.length)
        except (OSError, TypeError, ValueError):
            return None
        return note

    def _write_note(self) -> None:
        if self._note.validator:
            self._new_note_file.write_text(json.dumps(asdict(self._note)), encoding="utf-8")
            self._new_note_file.replace(self._note_file)

    def _unlink_notes(self) -> None:
        self._note_file.unlink(missing_ok=True)
        self._new_note_file.unlink(missing_ok=True)
