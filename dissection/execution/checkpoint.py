"""What a build leaves behind when it is killed, so that the next one goes on where it stopped."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dissection.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

Array = TypeVar("Array")

FORMAT = 2
"""Version of what is in states and files of cells; another one's are not gone on with."""

_PAUSE = 2.0
"""Seconds between two checkpoints, at least: about what a killed build loses."""

_SHARE = 0.01
"""Share of the time that may go into writing checkpoints."""


class Checkpoint:
    """The state of a job on disk, whole at any moment.

    States are numbered files; each is written beside the one before, which goes when it is there. (To replace a file
    makes some file systems wait for the disk.) A process that is killed leaves its last state behind. Should the
    machine lose power, what is missing is found out when it is read.

    Args:
        folder: where the states are; made if missing.
        name: what they are called.
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
            CheckpointError: if it is not as it was written.
        """
        states = self._states()
        if not states:
            return None
        try:
            return load_file(states[-1])
        except SafetensorError as error:
            raise CheckpointError(f"{states[-1]} is damaged; start the build again with --fresh") from error

    def save(self, state: Mapping[str, np.ndarray]) -> None:
        """Keep this state in place of the last."""
        begun = time.monotonic()
        before = self._states()
        number = int(before[-1].stem.rpartition("-")[2]) + 1 if before else 0
        file = self._folder / f"{self._name}-{number:08}.state"
        save_file(dict(state), file.with_suffix(".new"))
        file.with_suffix(".new").rename(file)
        for old in before:
            old.unlink()
        ended = time.monotonic()
        self._next = ended + max(_PAUSE, (ended - begun) / _SHARE)

    def _states(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._name}-*.state"))


def nested(**parts: Mapping[str, Array]) -> dict[str, Array]:
    """One state of several, each under its name."""
    return {f"{part}.{name}": array for part, state in parts.items() for name, array in state.items()}


def unnested(state: Mapping[str, Array], part: str) -> dict[str, Array]:
    """One of the states that :func:`nested` was given."""
    return {name.removeprefix(f"{part}."): array for name, array in state.items() if name.startswith(f"{part}.")}


@contextmanager
def scratch(folder: Path, *, ranks: int, rank: int, fresh: bool) -> Iterator[Path]:
    """The folder of one rank of a build, for as long as this process works on it; gone when the block ends well.

    Args:
        folder: of the build; its name is what the build is known by.
        ranks: how many processes share the build.
        rank: the number of this one.
        fresh: discard what an earlier process left there.

    Raises:
        CheckpointError: if another process works in it, or a build by another number of processes left it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"{rank}-of-{ranks}"
    with alone(folder, own.with_suffix(".lock")):
        others = [path for path in folder.iterdir() if path.is_dir() and not path.name.endswith(f"-of-{ranks}")]
        if fresh:
            for path in (*others, own):
                shutil.rmtree(path, ignore_errors=True)  # other ranks do the same
        elif others:
            before = others[0].name.rpartition("-")[2]
            raise CheckpointError(
                f"{folder} holds a build that {before} processes did not finish, and this is one of {ranks}; start as "
                "many again to go on with it, or discard it with --fresh"
            )
        own.mkdir(exist_ok=True)
        yield own
        shutil.rmtree(own)
    own.with_suffix(".lock").unlink(missing_ok=True)
    _remove_empty(folder)


def discard(folder: Path) -> None:
    """Remove what is left of a build that is not gone on with, save where a process is at it."""
    for lock_file in folder.glob("*.lock"):
        with suppress(CheckpointError), alone(folder, lock_file):
            shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
            lock_file.unlink()
    _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    for emptied in (folder, folder.parent):
        with suppress(OSError):
            emptied.rmdir()


@contextmanager
def alone(folder: Path, lock_file: Path) -> Iterator[None]:
    """One process at a time in a folder; a lock ends with its process, however that ends.

    Raises:
        CheckpointError: if another process holds it.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise CheckpointError(f"another process is at this very job, in {folder}; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()
