"""Sums of floating-point numbers that do not depend on the order, so that ranks and resumed builds agree.

A number is split into a multiple of 2^-24 and a remainder, which is rounded to a multiple of 2^-66. Both are summed
exactly, as integers. Squares range further: they are split into multiples of 2^12, 2^-30 and 2^-72.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import ActivationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float, Float64, Int64

    from dissection.execution.ranks import Ranks

VALUES = (24, 66)
"""Splits numbers into multiples of 2^-24 and 2^-66."""

SQUARES = (-12, 30, 72)
"""Splits squares of such numbers into multiples of 2^12, 2^-30 and 2^-72."""

_CARRY = 42
"""Bits between a step and the next."""

_BITS = 60
"""Of the coarsest word; a sum that needs more is refused, so that none can overflow unnoticed."""


class ClassSums:
    """Sums of vectors by class; a class without vectors takes no memory.

    Args:
        shape: shape of a vector.
        what: name of the vectors in errors.
        steps: what numbers are split into, as exponents of 1/2, coarsest first: `VALUES` or `SQUARES`.
    """

    def __init__(self, shape: tuple[int, ...], what: str, steps: tuple[int, ...] = VALUES) -> None:
        self._shape = shape
        self._what = what
        self._scales = [2.0**step for step in steps]
        self._largest = 2.0**_BITS / self._scales[0]
        self._sums: dict[int, np.ndarray] = {}
        self._counts: dict[int, int] = {}

    def add(self, classes: Int64[np.ndarray, " rows"], vectors: Float[np.ndarray, "rows ..."]) -> None:
        """Add the vector of each row to the sum of its class.

        Raises:
            ActivationError: if a number is not finite, or a sum grows too large.
        """
        rest = vectors.astype(np.float64)
        self._check(rest)
        words = []
        for scale in self._scales[:-1]:
            words.append(np.floor(rest * scale))
            rest -= words[-1] / scale
        words.append(np.rint(rest * self._scales[-1]))
        split = np.stack(words, 1).astype(np.int64)
        for index, row in zip(classes.tolist(), split, strict=True):
            self._add(index, row)

    def means(self) -> dict[int, tuple[int, Float64[np.ndarray, "*shape"]]]:
        """Number of vectors and their mean, by class, ascending."""
        return {index: (count, self._sum(self._sums[index]) / count) for index, count in sorted(self._counts.items())}

    def pool(self, ranks: Ranks) -> None:
        """Add up the sums of all ranks; every rank must call it."""
        classes = sorted(set().union(*ranks.gather(list(self._counts))))
        zeros = self._zeros()
        for index in classes:
            row = torch.from_numpy(self._sums.get(index, zeros))
            count = int(ranks.sum(torch.tensor(self._counts.get(index, 0))))
            self._sums[index], self._counts[index] = _carried(ranks.sum(row).numpy()), count

    def state(self) -> dict[str, np.ndarray]:
        """The sums and counts, as arrays."""
        classes = list(self._counts)
        return {
            "classes": np.array(classes, np.int64),
            "counts": np.array(list(self._counts.values()), np.int64),
            "sums": np.stack([self._sums[index] for index in classes] or [self._zeros()]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the sums and counts of a state."""
        classes = state["classes"].tolist()
        self._counts = dict(zip(classes, state["counts"].tolist(), strict=True))
        self._sums = {index: state["sums"][row].copy() for row, index in enumerate(classes)}

    def _add(self, index: int, words: Int64[np.ndarray, "words ..."]) -> None:
        previous = self._sums.get(index)
        self._sums[index] = _carried(words if previous is None else previous + words)
        self._check(self._sums[index][0] / self._scales[0])
        self._counts[index] = self._counts.get(index, 0) + 1

    def _sum(self, words: Int64[np.ndarray, "words ..."]) -> Float64[np.ndarray, "*shape"]:
        total = np.zeros(self._shape)
        for word, scale in zip(words, self._scales, strict=True):
            total += word / scale
        return total

    def _zeros(self) -> Int64[np.ndarray, "words ..."]:
        return np.zeros((len(self._scales), *self._shape), np.int64)

    def _check(self, numbers: Float64[np.ndarray, "*shape"]) -> None:
        if not (np.abs(numbers) < self._largest).all():
            raise ActivationError(
                f"{self._what} are not finite, or add up to more than {self._largest:.0e}; check the weights and the "
                "preprocessing (--mean, --std)"
            )


def _carried(words: Int64[np.ndarray, "words ..."]) -> Int64[np.ndarray, "words ..."]:
    """The same sum, with as much as possible in the coarser words: one form for each sum."""
    carried = words.copy()
    for finer in range(len(words) - 1, 0, -1):
        carry = carried[finer] >> _CARRY
        carried[finer - 1] += carry
        carried[finer] -= carry << _CARRY
    return carried
