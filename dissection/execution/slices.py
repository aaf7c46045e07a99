"""Runs a kernel in several threads, each on a different part of the numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_WORTH = 2**20
"""Numbers that make a thread worthwhile: for fewer, waking it takes as long."""


def in_slices(loop: Callable[..., object], size: int, *arguments: object, numbers: int) -> None:
    """Call ``loop(*arguments, start, stop)`` on parts of ``range(size)`` that do not touch each other's results.

    It takes at most as many threads as PyTorch does, which ``OMP_NUM_THREADS`` limits.

    Args:
        loop: a kernel.
        size: size of the range.
        arguments: arguments of every call.
        numbers: how many numbers all parts together go over.
    """
    threads = min(torch.get_num_threads(), numbers // _WORTH)
    if threads <= 1:
        loop(*arguments, 0, size)
        return
    edges = [size * part // threads for part in range(threads + 1)]
    results = _pool(threads - 1).map(partial(loop, *arguments), edges[1:-1], edges[2:])
    loop(*arguments, 0, edges[1])  # threads that were woken while this one sleeps would often wake on one core
    list(results)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")
