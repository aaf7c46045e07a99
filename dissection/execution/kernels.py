"""Loops over numbers, compiled by numba, for work that numpy could do only in several passes over the data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def kernel(loop: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile a function of arrays and numbers for use in threads; the result is cached on disk if possible.

    Arithmetic is IEEE, operation by operation: nothing is contracted or reordered, so a kernel's results are those of
    the same loop in Python.
    """
    compiled = partial(numba.njit, nogil=True)
    try:
        return compiled(cache=True)(loop)
    except RuntimeError:  # neither the package's folder nor a home folder is writable
        return compiled()(loop)


def are_kept() -> bool:
    """Whether compiled loops can be kept on disk, so that the next process need not compile them."""
    return kernel(are_kept).stats.cache_path is not None  # type: ignore[attr-defined]  # numba's, before it compiles
