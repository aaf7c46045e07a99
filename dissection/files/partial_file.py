"""The part of a file that has come already, and what tells whether the rest still belongs to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class PartialFile:
    """A file beside its target that grows as bytes come.

    A note beside it says where the bytes came from and the server's validator of them (ETag, or else Last-Modified).
    Without a validator nobody can tell whether the file on the server is still the same, so nothing is gone on with.

    Args:
        target: what the whole file is to be called.
        source: address that it comes from; bytes of another address are forgotten.
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
        """Bytes that have come."""
        return self.file.stat().st_size if self.file.exists() else 0

    def request(self) -> dict[str, str]:
        """Headers that ask for the rest, or for all of it where the file on the server has changed."""
        if not self.length or not self._validator:
            return {}
        return {"Range": f"bytes={self.length}-", "If-Range": self._validator}

    def continues(self, validator: str) -> bool:
        """Whether bytes with this validator belong to those that have come."""
        return bool(self._validator) and validator == self._validator

    def begin(self, validator: str) -> None:
        """Forget what has come, and expect bytes with this validator."""
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
        """The validator of what an earlier process left; empty where it left nothing that can be gone on with."""
        try:
            note = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return ""
        known = isinstance(note, dict) and note.get("source") == self._source
        validator = note.get("validator") if known else ""
        return validator if isinstance(validator, str) else ""
