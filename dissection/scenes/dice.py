"""Seeded choices. Only ``Generator.random`` of PCG64 is used, whose stream numpy keeps stable."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Dice:
    """Choices that depend only on the seed: whole numbers, none of them negative."""

    def __init__(self, *seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed)).random

    def between(self, low: float, high: float) -> float:
        """A number from ``[low, high)``."""
        return low + (high - low) * self._random()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random() < probability

    def count(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, inclusive."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._random() * len(items))]

    def sample(self, items: Sequence[T], size: int) -> list[T]:
        """``size`` different items, in random order."""
        remaining = list(items)
        return [remaining.pop(int(self._random() * len(remaining))) for _ in range(size)]
