"""A file of JSON lines that only grows: what a killed process wrote is read by the next."""

from __future__ import annotations

import json
import os
import re
import zlib
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_LINE = re.compile(rb'(\{.*?)(?:, )?"crc32": "([0-9a-f]{8})"\}\n', re.DOTALL)


class Journal:
    """Records, one JSON object a line. A line that a killed process left unfinished is cut off on reading.

    Each line ends with ``crc32``, the checksum of the records up to there: a line that is other, missing or at another
    place is noticed.

    Args:
        path: the file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._checksum: int | None = None  # of the last line, once it is known

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The records, in order.

        Raises:
            ValueError: if a line is not as it was written.
        """
        checksum = 0
        for number, line in enumerate(self._lines(), start=1):
            parts = _LINE.fullmatch(line)
            if parts is None or (checksum := zlib.crc32(parts[1], checksum)) != int(parts[2], 16):
                raise ValueError(f"line {number} is damaged, or of an earlier version")
            yield json.loads(parts[1] + b"}")

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records. They survive a kill, but a power failure only after :meth:`sync`."""
        checksum = self._last_checksum() if self._checksum is None else self._checksum
        lines = []
        for record in records:
            body = json.dumps(record, ensure_ascii=False, allow_nan=False).encode().removesuffix(b"}")
            checksum = zlib.crc32(body, checksum)
            lines.append(b'%s%s"crc32": "%08x"}\n' % (body, b", " if record else b"", checksum))
        self._file.write(b"".join(lines))
        self._file.flush()
        self._checksum = checksum

    def sync(self) -> None:
        """Make sure that the records survive a power failure."""
        os.fsync(self._file.fileno())

    def cut(self, records: int) -> None:
        """Cut off all but the first ``records``."""
        end = sum(len(line) for line in islice(self._lines(), records))
        self._file.truncate(end)
        self._checksum = None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _last_checksum(self) -> int:
        last = deque(self._lines(), maxlen=1)
        parts = _LINE.fullmatch(last[0]) if last else None
        return int(parts[2], 16) if parts else 0

    def _lines(self) -> Iterator[bytes]:
        """The complete lines."""
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                self._file.truncate(end)
                break
            end += len(line)
            yield line
