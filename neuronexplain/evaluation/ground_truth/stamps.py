"""Identifies data without reading all of it: photographs by name and size, annotations by every byte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.files.paths import readable

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest(parts: Iterable[str | Path]) -> str:
    """sha256 over texts and the contents of files; for a photograph, pass its :func:`stamp` instead."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else readable(part).encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def stamp(file: Path) -> str:
    """A photograph's name and size in bytes, for a digest."""
    return f"{file.name} {file.stat().st_size if file.is_file() else 'missing'}"
