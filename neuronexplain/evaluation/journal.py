"""What was measured of each image, a line each, so that an evaluation that is killed goes on where it stopped.

The first line says what is measured: network, method, protocol, data. A journal of something else is refused. A line
that was cut short is forgotten, and so is all of the batch that it belongs to: batches are cut the same way again.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

Record = dict[str, Any]
"""What is kept of one image: JSON values."""


class Journal:
    """The journal of one evaluation; made by :func:`opened`."""

    def __init__(self, file: BinaryIO, records: list[Record]) -> None:
        self._file = file
        self.records = records

    def add(self, records: Sequence[Record]) -> None:
        """Write down a batch."""
        self._file.write(b"".join(_line(record) for record in records))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records.extend(records)


@contextmanager
def opened(path: Path, heading: Mapping[str, Any], *, batch: int, fresh: bool = False) -> Iterator[Journal]:
    """A journal that goes on, or begins.

    Args:
        path: the file.
        heading: what is measured, as JSON values.
        batch: images written at a time: a part of so many is forgotten.
        fresh: begin again, whatever is there.

    Raises:
        CheckpointError: if it is of something else, is no journal, or is being written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        with lock.acquire(timeout=0):
            kept = [] if fresh else _kept(path, heading, batch)
            _begin(path, [dict(heading), *kept])
            with path.open("ab") as file:
                yield Journal(file, kept)
    except Timeout:
        raise CheckpointError(
            f"{path} is being written to by another evaluation; wait for it, or name another --out"
        ) from None


def _kept(path: Path, heading: Mapping[str, Any], batch: int) -> list[Record]:
    """The records of whole batches."""
    if not path.exists():
        return []
    *whole, _unfinished = path.read_bytes().split(b"\n")
    if not whole:
        return []
    try:
        found, *records = [json.loads(line) for line in whole]
    except ValueError as error:
        raise CheckpointError(f"{path} is no journal of an evaluation ({error}); --fresh begins again") from error
    wanted = json.loads(json.dumps(heading))
    if found != wanted:
        other = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
        raise CheckpointError(
            f"{path} is of an evaluation with another {', '.join(other)}; name another --out, or begin again: --fresh"
        )
    images = int(wanted["images"])
    return records if len(records) == images else records[: len(records) - len(records) % batch]


def _begin(path: Path, lines: Sequence[Record]) -> None:
    """Write what is kept, whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(b"".join(map(_line, lines)))
    beside.replace(path)


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
