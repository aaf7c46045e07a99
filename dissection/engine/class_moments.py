"""Means of vectors and of their squares by class: enough for a mean with its standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.statistic import Bundle

from .exact_sums import SQUARES, ClassSums

if TYPE_CHECKING:
    from jaxtyping import Float32, Float64, Int64


class ClassMoments(Bundle[ClassSums]):
    """Sums of vectors and of their squares by class; a class without vectors takes no memory.

    The square of a number in single precision is exact in double precision.

    Args:
        shape: shape of a vector.
        what: name of the vectors in errors.
    """

    def __init__(self, shape: tuple[int, ...], what: str) -> None:
        self._values = ClassSums(shape, what)
        self._squares = ClassSums(shape, f"the squares of {what}", SQUARES)
        super().__init__({"values": self._values, "squares": self._squares})

    def add(self, classes: Int64[np.ndarray, " rows"], vectors: Float32[np.ndarray, "rows ..."]) -> None:
        """Add the vector of each row to the sums of its class.

        Raises:
            ActivationError: if a number is not finite, or a sum grows too large.
        """
        self._values.add(classes, vectors)
        self._squares.add(classes, vectors.astype(np.float64) ** 2)

    def means(self) -> dict[int, tuple[int, Float64[np.ndarray, "*shape"], Float64[np.ndarray, "*shape"]]]:
        """Number of vectors, their mean and the mean of their squares, by class, ascending."""
        squares = self._squares.means()
        return {index: (count, mean, squares[index][1]) for index, (count, mean) in self._values.means().items()}
