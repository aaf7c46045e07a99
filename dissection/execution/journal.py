"""A file of JSON lines that only grows: what a killed process wrote is read by the next."""

from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHECKSUM = "crc32"


class Journal:
    """Records, one line of JSON each. A line that a killed process left unfinished is cut off on reading.

    Records that are objects carry their checksum as ``crc32``; journals of earlier versions do not.

    Args:
        path: the file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """The records, in order.

        Raises:
            ValueError: if a line is not as it was written.
        """
        checked = None
        for number, (line, _) in enumerate(self._lines(), start=1):
            record = json.loads(line)
            checksum = record.pop(_CHECKSUM, None) if isinstance(record, dict) else None
            checked = checksum is not None if checked is None else checked
            if isinstance(record, dict) and checksum != (_checksum(record) if checked else None):
                raise ValueError(f"line {number} is damaged")
            yield record

    def append(self, records: Iterable[Any]) -> None:
        """Append records. They survive a kill, but a power failure only after :meth:`sync`."""
        self._file.write(b"".join(_line(record) for record in records))
        self._file.flush()

    def sync(self) -> None:
        """Make sure that the records survive a power failure."""
        os.fsync(self._file.fileno())

    def cut(self, records: int) -> None:
        """Cut off all but the first ``records``."""
        end = 0
        for number, (_, line_end) in enumerate(self._lines(), start=1):
            if number <= records:
                end = line_end
        self._file.truncate(end)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _lines(self) -> Iterator[tuple[bytes, int]]:
        """Each complete line, and the offset of its end."""
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                self._file.truncate(end)
                break
            end += len(line)
            yield line, end


def _line(record: object) -> bytes:
    checked = {**record, _CHECKSUM: _checksum(record)} if isinstance(record, dict) else record
    return json.dumps(checked, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _checksum(record: object) -> str:
    """The crc32 of a record as JSON gives it back, where keys are text."""
    return f"{zlib.crc32(json.dumps(json.loads(json.dumps(record)), sort_keys=True).encode()):08x}"
