"""The part of a file that was received already, and the check that the rest belongs to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PartialFile:
    """A file beside its target that grows as bytes arrive.

    A note beside it gives the address of the bytes and the server's validator (ETag, or else Last-Modified). Without a
    validator nobody can tell whether the file on the server is still the same, so the file is fetched anew.

    Args:
        target: path of the whole file.
        source: address of the file; bytes from another address are discarded.
    """

    def __init__(self, target: Path, source: str) -> None:
        self.file = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self._target = target
        self._source = source
        self._validator = self._noted()
        if not self._validator:
            self.begin("")

    @property
    def length(self) -> int:
        """Number of bytes received."""
        return self.file.stat().st_size if self.file.exists() else 0

    def request(self) -> dict[str, str]:
        """Headers that request the rest, or the whole file if it has changed on the server."""
        if not self.length or not self._validator:
            return {}
        return {"Range": f"bytes={self.length}-", "If-Range": self._validator}

    def continues(self, validator: str) -> bool:
        """Whether bytes with this validator belong to those received."""
        return bool(self._validator) and validator == self._validator

    def begin(self, validator: str) -> None:
        """Discard the bytes received, and expect bytes with this validator."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self._validator = validator
        if validator:
            self._note.write_text(json.dumps({"source": self._source, "validator": validator}), encoding="utf-8")

    def finish(self) -> None:
        """Give the whole file its name."""
        self.file.replace(self._target)
        self._note.unlink(missing_ok=True)

    def _noted(self) -> str:
        """The validator of the bytes that an earlier process left; empty if they cannot be resumed."""
        try:
            note = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return ""
        is_ours = isinstance(note, dict) and note.get("source") == self._source
        validator = note.get("validator") if is_ours else ""
        return validator if isinstance(validator, str) else ""
