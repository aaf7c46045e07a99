"""The saved state of a job, from which another process resumes it after a kill."""

from __future__ import annotations

import os
import re
import time
import zlib
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dissection.errors import CheckpointError

from .statistic import Bundle, nested, unnested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .statistic import Statistic

CHECKPOINT_FORMAT = 2
"""Version of the format of states and cell files; a build of another version is not resumed."""

_CHECKSUM = "crc32"

_PAUSE = 2.0
"""Least number of seconds between two checkpoints: about what a killed build loses."""

_SHARE = 0.01
"""Share of the time that may go into writing checkpoints."""


class Checkpoint:
    """The state of a job on disk, complete at any moment.

    States are numbered files; each is written beside the previous one, which is then deleted. (Replacing a file makes
    some file systems wait for the disk.) A killed process leaves its last state behind. Each has a checksum, so that
    damage is noticed on reading; those of earlier versions have none.

    Args:
        folder: folder of the states; created if missing.
        name: how their names begin.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        self._next = time.monotonic() + _PAUSE

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() >= self._next

    def load(self) -> dict[str, np.ndarray] | None:
        """The state that was saved last, or ``None``.

        Raises:
            CheckpointError: if the state is damaged.
        """
        states = self._states()
        if not states:
            return None
        try:
            with safe_open(states[-1], framework="numpy") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- it is no mapping
                stated = (file.metadata() or {}).get(_CHECKSUM)
        except (SafetensorError, ValueError, TypeError) as error:
            raise _damaged(states[-1]) from error
        if stated not in {None, _checksum(state)}:
            raise _damaged(states[-1])
        return state

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Save this state in place of the last.

        Raises:
            OSError: if it cannot be written.
        """
        started = time.monotonic()
        previous = self._states()
        number = int(previous[-1].stem.rpartition("-")[2]) + 1 if previous else 0
        file = self._folder / f"{self._name}-{number:08}.state"
        _write(state, file.with_suffix(".new"))
        file.with_suffix(".new").rename(file)
        for old in previous:
            old.unlink()
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, (ended - started) / _SHARE)

    def _states(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}-*.state"))


def _checksum(state: Mapping[str, np.ndarray]) -> str:
    """The crc32 of names, types, shapes and values."""
    checksum = 0
    for name, array in sorted(state.items()):
        checksum = zlib.crc32(f"{name} {array.dtype.str} {array.shape}\n".encode(), checksum)
        checksum = zlib.crc32(np.ascontiguousarray(array).data.cast("B") if array.size else b"", checksum)
    return f"{checksum:08x}"


def _damaged(file: Path) -> CheckpointError:
    return CheckpointError(f"{file} is damaged; start again with --fresh, or remove {file.parent}")


def _write(state: Mapping[str, np.ndarray], file: Path) -> None:
    """Write a state; what the disk says stands in the message of safetensors' error."""
    try:
        save_file(dict(state), file, {_CHECKSUM: _checksum(state)})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(file)) from error


class ResumableJob:
    """The statistics of a job and the progress of its stages, in one checkpoint.

    A new job takes over what an earlier process left in the checkpoint.

    Args:
        statistics: the statistics that the job collects.
        stages: names of the stages; each is done piece by piece.
        checkpoint: where everything is saved; ``None`` saves nothing.

    Attributes:
        is_resumed: whether an earlier process began the job.

    Raises:
        CheckpointError: if the checkpoint is damaged.
    """

    def __init__(
        self, statistics: Bundle[Statistic], stages: Sequence[str], checkpoint: Checkpoint | None = None
    ) -> None:
        self._statistics = statistics
        self._done = dict.fromkeys(stages, 0)
        self._checkpoint = checkpoint
        state = checkpoint.load() if checkpoint else None
        self.is_resumed = state is not None
        if state is not None:
            statistics.restore(state)
            self._done = {stage: int(pieces) for stage, pieces in unnested(state, "done").items()}

    def done(self, stage: str) -> int:
        """Number of finished pieces of a stage."""
        return self._done[stage]

    def advance(self, stage: str) -> None:
        """Count one more piece of a stage as done; the statistics must already include it."""
        self._done[stage] += 1

    def save_if_due(self) -> bool:
        """Write the checkpoint if it is due; returns whether it was written."""
        if self._checkpoint is None or not self._checkpoint.is_due:
            return False
        self.save()
        return True

    def save(self) -> None:
        """Write the checkpoint."""
        if self._checkpoint is not None:
            done = {stage: np.array(pieces) for stage, pieces in self._done.items()}
            self._checkpoint.save(self._statistics.state() | nested({"done": done}))
