"""Sums of floating-point numbers that do not depend on the order, so that ranks and resumed builds agree.

A number is split into a multiple of 2^-24 and a remainder, which is rounded to a multiple of 2^-66. Both are summed
exactly, as integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import ActivationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float32, Float64, Int64

    from dissection.execution.ranks import Ranks

_COARSE = 2.0**24
_FINE = 2.0**66
_CARRY = 42
_LARGEST = 2.0**36
"""Limit of every number and sum; below it no sum can overflow unnoticed."""


class ClassSums:
    """Sums of vectors by class; a class without vectors takes no memory.

    Args:
        shape: shape of a vector.
        what: name of the vectors in errors.
    """

    def __init__(self, shape: tuple[int, ...], what: str) -> None:
        self._shape = shape
        self._what = what
        self._sums: dict[int, np.ndarray] = {}
        self._counts: dict[int, int] = {}

    def add(self, classes: Int64[np.ndarray, " rows"], vectors: Float32[np.ndarray, "rows ..."]) -> None:
        """Add the vector of each row to the sum of its class.

        Raises:
            ActivationError: if a number is not finite, or a sum grows too large.
        """
        wide = vectors.astype(np.float64)
        self._check(wide)
        coarse = np.floor(wide * _COARSE)
        fine = np.rint((wide - coarse / _COARSE) * _FINE)
        words = np.stack([coarse, fine], 1).astype(np.int64)
        for index, row in zip(classes.tolist(), words, strict=True):
            self._add(index, row)

    def means(self) -> dict[int, tuple[int, Float64[np.ndarray, "*shape"]]]:
        """Number of vectors and their mean, by class, ascending."""
        return {
            index: (count, (self._sums[index][0] / _COARSE + self._sums[index][1] / _FINE) / count)
            for index, count in sorted(self._counts.items())
        }

    def pool(self, ranks: Ranks) -> None:
        """Add up the sums of all ranks; every rank must call it."""
        classes = sorted(set().union(*ranks.gather(list(self._counts))))
        zeros = np.zeros((2, *self._shape), np.int64)
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
            "sums": np.stack([self._sums[index] for index in classes] or [np.zeros((2, *self._shape), np.int64)]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the sums and counts of a state."""
        classes = state["classes"].tolist()
        self._counts = dict(zip(classes, state["counts"].tolist(), strict=True))
        self._sums = {index: state["sums"][row].copy() for row, index in enumerate(classes)}

    def _add(self, index: int, words: Int64[np.ndarray, "2 ..."]) -> None:
        previous = self._sums.get(index)
        self._sums[index] = _carried(words if previous is None else previous + words)
        self._check(self._sums[index][0] / _COARSE)
        self._counts[index] = self._counts.get(index, 0) + 1

    def _check(self, numbers: Float64[np.ndarray, "*shape"]) -> None:
        if not (np.abs(numbers) < _LARGEST).all():
            raise ActivationError(
                f"{self._what} are not finite, or add up to more than {_LARGEST:.0e}; check the weights and the "
                "preprocessing (--mean, --std)"
            )


def _carried(words: Int64[np.ndarray, "2 ..."]) -> Int64[np.ndarray, "2 ..."]:
    """The same sum, with as much as possible in the coarse word: one form for each sum."""
    carry = words[1] >> _CARRY
    return np.stack([words[0] + carry, words[1] - (carry << _CARRY)])
