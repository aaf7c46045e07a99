"""What a killed job left and something damaged since is an error in one line, never a bug and never another answer."""

import random

import numpy as np
import pytest

from dissection.engine.cells import place_of
from dissection.errors import CheckpointError
from dissection.execution.framed_file import frame_offsets, read_frame, write_frame

BLOCKS = [b"one" * 50, b"", b"three" * 20]


def blocks(path):
    return [read_frame(path, offset) for offset in frame_offsets(path)]


def test_a_damaged_block_is_told_whatever_the_damage(tmp_path):
    path = tmp_path / "blocks"
    with path.open("wb") as file:
        ends = [write_frame(file, block) for block in BLOCKS]
    whole = path.read_bytes()
    assert blocks(path) == BLOCKS
    dice = random.Random(0)
    whole_blocks = {0, *np.cumsum(ends).tolist()}
    for _ in range(2000):
        place = dice.randrange(len(whole))
        for content in (
            whole[:place] + bytes([whole[place] ^ 1 << dice.randrange(8)]) + whole[place + 1 :],
            whole[:place] + bytes([255] * 8) + whole[place + 8 :],
            whole[:place] if place not in whole_blocks else whole + b"x",
            whole + dice.randbytes(9),
        ):
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match="blocks is damaged; start the build again with --fresh"):
                blocks(path)


def test_a_block_that_is_missing_is_told():
    assert place_of([(0, 9)], 0) == (0, 9)
    with pytest.raises(CheckpointError, match="2 or more were written, 1 are there; start the build again"):
        place_of([(0, 9)], 1)
