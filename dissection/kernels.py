"""Loops over numbers, compiled by numba: for what numpy could only do by going over the data several times."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numba
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(loop: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function of arrays and numbers for use in threads; the result is kept on disk where that is possible.

    Arithmetic is IEEE, operation by operation: nothing is contracted or reordered, so a kernel's results are those of
    the same loop in Python.
    """
    compiled = partial(numba.njit, nogil=True)
    try:
        return compiled(cache=True)(loop)
    except RuntimeError:  # neither the package's folder nor a home can be written to
        return compiled()(loop)


_WORTH = 2**20
"""Numbers that a thread must have to go over: for fewer, waking it takes as long."""


def in_slices(loop: Callable[..., object], size: int, *arguments: object, numbers: int) -> None:
    """Call ``loop(*arguments, start, stop)`` on parts of ``range(size)`` that do not touch each other's results.

    At most as many threads do it as PyTorch computes with, which is what ``OMP_NUM_THREADS`` allows.

    Args:
        loop: a kernel.
        size: of the range.
        arguments: what all parts are given.
        numbers: how many numbers all parts together go over.
    """
    threads = min(torch.get_num_threads(), numbers // _WORTH)
    if threads <= 1:
        loop(*arguments, 0, size)
        return
    edges = [size * part // threads for part in range(threads + 1)]
    list(_pool(threads).map(partial(loop, *arguments), edges[:-1], edges[1:]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")
