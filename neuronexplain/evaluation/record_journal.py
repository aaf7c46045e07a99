"""What was measured of each image, a line each, so that an evaluation that is killed is resumed where it stopped.

The first line says what is measured: network, method, protocol, data. A journal of something else is refused. Where a
batch was cut short, all of it is forgotten: batches are cut the same way again.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from dissection.errors import CheckpointError
from dissection.execution.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Record = dict[str, Any]
"""What is kept of one image: JSON values."""


class RecordJournal:
    """The records of one evaluation; made by :func:`open_journal`.

    Attributes:
        records: of every image so far, in order.
    """

    def __init__(self, journal: Journal, records: list[Record], batch_size: int) -> None:
        self.records = records
        self._journal = journal
        self._batch_size = batch_size

    @property
    def done(self) -> int:
        """Batches whose records are kept."""
        return -(-len(self.records) // self._batch_size)

    def add(self, _batch: range, records: Sequence[Record]) -> None:
        """Write down a batch."""
        self._journal.append(records)
        self.records.extend(records)

    def save(self) -> bool:
        """See that it is on the disk."""
        self._journal.sync()
        return True


@contextmanager
def open_journal(
    path: Path, heading: Mapping[str, Any], *, batch_size: int, fresh: bool = False
) -> Iterator[RecordJournal]:
    """A journal that is resumed, or begun.

    Args:
        path: the file.
        heading: what is measured, as JSON values.
        batch_size: images written at a time: of a batch that was cut short all is forgotten.
        fresh: begin again, whatever is there.

    Raises:
        CheckpointError: if it is of something else, is no journal, or is being written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        with lock.acquire(timeout=0), Journal(path) as journal:
            records = [] if fresh else _kept(path, journal, heading, batch_size)
            if records is None or fresh:
                journal.cut(0)
                journal.append([dict(heading)])
            else:
                journal.cut(1 + len(records))
            yield RecordJournal(journal, records or [], batch_size)
    except Timeout:
        raise CheckpointError(
            f"{path} is being written to by another evaluation; wait for it, or name another --out"
        ) from None


def _kept(path: Path, journal: Journal, heading: Mapping[str, Any], batch_size: int) -> list[Record] | None:
    """The records of whole batches; ``None`` where nothing was begun.

    Raises:
        CheckpointError: if the journal is of something else, or is none.
    """
    try:
        lines = list(journal)
    except ValueError as error:
        raise CheckpointError(f"{path} is no journal of an evaluation ({error}); --fresh begins again") from error
    if not lines:
        return None
    written, *records = lines
    expected = json.loads(json.dumps(heading))
    if written != expected:
        differing = [key for key in expected if not isinstance(written, dict) or written.get(key) != expected[key]]
        raise CheckpointError(
            f"{path} is of an evaluation with another {', '.join(differing)}; name another --out, or begin again: "
            "--fresh"
        )
    images = int(expected["images"])
    return records if len(records) == images else records[: len(records) - len(records) % batch_size]
