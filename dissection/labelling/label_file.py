"""Label maps of photographs in a file, so that a model looks at each photograph once, also after a kill."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from dissection.errors import CheckpointError
from dissection.execution.framed_file import frame_offsets, frame_size, read_frame, write_frame

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jaxtyping import Int32


class LabelFile:
    """Label maps by photograph, in order, compressed, each with a checksum.

    What an earlier process left is taken up to the first map that is not as it was written.

    Args:
        path: the file; made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ends = [0]
        with suppress(CheckpointError, zlib.error, ValueError):
            for offset in frame_offsets(path):
                data = read_frame(path, offset)
                _unpacked(data)
                self._ends.append(offset + frame_size(data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def cut(self, count: int) -> None:
        """Cut off all but the label maps of the first ``count`` photographs, and what follows the last."""
        del self._ends[count + 1 :]
        with self._path.open("ab") as file:
            file.truncate(self._ends[-1])

    def append(self, maps: Iterable[Int32[np.ndarray, "layers h w"]]) -> None:
        """Add the label maps of the next photographs."""
        with self._path.open("ab") as file:
            for layers in maps:
                self._ends.append(self._ends[-1] + write_frame(file, _packed(layers)))

    def read(self, index: int) -> Int32[np.ndarray, "layers h w"]:
        """The label maps of a photograph.

        Raises:
            CheckpointError: if they are not as they were written.
        """
        return _unpacked(read_frame(self._path, self._ends[index]))


def _packed(layers: Int32[np.ndarray, "layers h w"]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, layers.astype(np.uint16), allow_pickle=False)
    return zlib.compress(stream.getvalue(), 1)


def _unpacked(data: bytes) -> Int32[np.ndarray, "layers h w"]:
    layers: np.ndarray = np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)
    return layers.astype(np.int32)
