"""A journal of the records of images, one per line, so that a killed evaluation is resumed where it stopped.

The first line says what is measured: network, method, protocol, data; and by which version, and by which of its rules.
A journal of another evaluation is refused. The records of an incomplete batch are dropped, since batches are cut the
same way again; so are those from the first on whose files are not as they were written.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from dissection.errors import CheckpointError
from dissection.execution.journal import Journal
from dissection.files.written_files import are_as_written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

RULES = 4
"""Number of the rules by which records are made.

To be raised with every change after which a record of the same image would say something else, or say it otherwise:
records that were made before would be averaged with those that are made now.
"""

_MADE_BY = "made by"

Record = dict[str, Any]
"""The record of one image: JSON values."""


class RecordJournal:
    """The records of one evaluation; made by :func:`open_journal`.

    Attributes:
        heading: what is measured, and by which version.
        records: the records of all images so far, in order.
    """

    def __init__(self, journal: Journal, heading: Record, records: list[Record], batch_size: int) -> None:
        self.heading = heading
        self.records = records
        self._journal = journal
        self._batch_size = batch_size

    @property
    def done(self) -> int:
        """Number of batches whose records are in the journal."""
        return -(-len(self.records) // self._batch_size)

    def add(self, _batch: range, records: Sequence[Record]) -> None:
        """Append the records of a batch."""
        self._journal.append(records)
        self.records.extend(records)

    def save(self) -> bool:
        """Make sure that the journal is on disk."""
        self._journal.sync()
        return True


def this_version() -> str:
    """By which version records are made, and by which of its rules."""
    try:
        number = version("neuronexplain")
    except PackageNotFoundError:  # it runs from its source
        number = "without a version"
    return f"neuronexplain {number}, rules {RULES}"


def read_records(path: Path) -> list[Record]:
    """The records of a journal that is finished, in order."""
    _, *records = map(json.loads, path.read_text("utf-8").splitlines())
    return records


@contextmanager
def open_journal(
    path: Path, heading: Mapping[str, Any], *, batch_size: int, fresh: bool = False
) -> Iterator[RecordJournal]:
    """Open a journal, to resume it or begin a new one.

    Args:
        path: the file.
        heading: what is measured, as JSON values.
        batch_size: images written at a time; an incomplete batch is dropped.
        fresh: discard an earlier journal.

    Raises:
        CheckpointError: if the file is of another evaluation or version, is not a journal, or is being written to.
    """
    whole = {_MADE_BY: this_version(), **heading}
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        with lock.acquire(timeout=0), Journal(path) as journal:
            records = [] if fresh else _finished_records(path, journal, whole, batch_size)
            if records is None or fresh:
                journal.cut(0)
                journal.append([whole])
            else:
                journal.cut(1 + len(records))
            yield RecordJournal(journal, whole, records or [], batch_size)
    except Timeout:
        raise CheckpointError(
            f"{path} is being written to by another evaluation; wait for it, or name another --out"
        ) from None


def _finished_records(path: Path, journal: Journal, heading: Mapping[str, Any], batch_size: int) -> list[Record] | None:
    """The records of whole batches up to the first file that is not as it was written; ``None`` if there is no line.

    Raises:
        CheckpointError: if the file is of another evaluation or version, or is not a journal.
    """
    try:
        lines = list(journal)
    except ValueError as error:
        raise CheckpointError(f"{path} is not a journal of an evaluation ({error}); start over with --fresh") from error
    if not lines:
        return None
    written_heading, *records = lines
    expected = json.loads(json.dumps(heading))
    maker = written_heading.get(_MADE_BY, "an earlier version")
    if maker != expected[_MADE_BY]:
        raise CheckpointError(
            f"{path} was begun by {maker}, and {expected[_MADE_BY]} may measure otherwise; name another --out, or "
            "remove that file to start over"
        )
    if written_heading != expected:
        differing = [key for key in expected if written_heading.get(key) != expected[key]]
        raise CheckpointError(
            f"{path} is of an evaluation with another {', '.join(differing)}; name another --out, or start over with "
            "--fresh"
        )
    intact = len(list(takewhile(partial(_has_its_files, path.parent), records)))
    return records if intact == int(expected["images"]) else records[: intact - intact % batch_size]


def _has_its_files(folder: Path, record: Record) -> bool:
    return are_as_written(folder, record.get("written", {}))
