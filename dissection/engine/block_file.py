"""A file that statistics of blocks of images are written to, one behind the other, while images stream past."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save

from dissection.errors import CheckpointError
from dissection.execution.framed_file import write_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dissection.execution.ranks import Ranks


class BlockFile:
    """Frames of arrays in the order in which blocks were compared; its state is how far it is written.

    Args:
        path: the file; its folder is made if missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._written = 0

    def pool(self, _ranks: Ranks) -> None:
        """Blocks stay with the rank that compared their images."""

    def state(self) -> dict[str, np.ndarray]:
        """How far the file is written."""
        return {"written": np.array([self._written])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state: what was written after it is cut off.

        Raises:
            CheckpointError: if less is there than the state says.
        """
        self._cut(int(state["written"][0]))

    def clear(self) -> None:
        """Delete what an earlier process left without a state to go back to."""
        self._cut(0)

    def _append(self, *frames: Mapping[str, np.ndarray]) -> None:
        with self._path.open("ab") as file:
            for arrays in frames:
                contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
                self._written += write_frame(file, save(contiguous))

    def _cut(self, written: int) -> None:
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < written:
            raise CheckpointError(f"{self._path} is not whole; start the build again with --fresh")
        if size > written:
            os.truncate(self._path, written)
        self._written = written
