"""Which units speak most for and against a target (Grad-CAM paper, Sec. 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Strongest:
    """Units by number, strongest first.

    Attributes:
        top: greatest values, all positive.
        bottom: least values, all negative.
        passed_over: units that could not be chosen but would otherwise be among the strongest.
    """

    top: tuple[int, ...]
    bottom: tuple[int, ...]
    passed_over: tuple[int, ...]


def strongest(values: Float[np.ndarray, " units"], k: int, *, among: Collection[int] | None = None) -> Strongest:
    """The ``k`` most positive and the ``k`` most negative units; ties go to the lower number.

    A unit speaks for a target only if its value is above 0, and against it only if it is below, so there may be fewer
    than ``k`` of either.

    Args:
        values: alpha or contribution of each unit.
        k: how many of each.
        among: the units to choose from; by default all.

    >>> strongest(np.array([0.2, -0.5, 0.9, 0.0, -0.1]), 2)
    Strongest(top=(2, 0), bottom=(1, 4), passed_over=())
    >>> strongest(np.array([0.2, -0.5, 0.9, 0.0, -0.1]), 1, among={0, 4})
    Strongest(top=(0,), bottom=(4,), passed_over=(1, 2))
    """
    descending = np.argsort(-values, kind="stable")
    ascending = np.argsort(values, kind="stable")
    positive = [unit for unit in descending.tolist() if values[unit] > 0]
    negative = [unit for unit in ascending.tolist() if values[unit] < 0]
    if among is None:
        return Strongest(tuple(positive[:k]), tuple(negative[:k]), ())
    eligible = set(among)
    passed_over = {unit for unit in positive[:k] + negative[:k] if unit not in eligible}
    return Strongest(
        tuple([unit for unit in positive if unit in eligible][:k]),
        tuple([unit for unit in negative if unit in eligible][:k]),
        tuple(sorted(passed_over)),
    )
