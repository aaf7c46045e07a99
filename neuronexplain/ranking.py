"""Which units speak most for and against a target (Grad-CAM paper, Sec. 7)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Strongest:
    """Units by number, strongest first.

    Attributes:
        top: greatest values, all positive.
        bottom: least values, all negative.
        passed_over: units that were not eligible but would otherwise be among them, in the same order.
    """

    top: tuple[int, ...]
    bottom: tuple[int, ...]
    passed_over: tuple[int, ...]


def strongest(
    values: Float[np.ndarray, " units"], k: int, *, is_eligible: Callable[[int], bool] = lambda _unit: True
) -> Strongest:
    """The ``k`` most positive and the ``k`` most negative units; ties go to the lower number.

    A unit speaks for a target only if its value is above 0, and against it only if it is below, so there may be fewer
    than ``k`` of either.

    Args:
        values: what the units are ranked by.
        k: how many of each.
        is_eligible: whether a unit may be chosen; asked of the strongest first, and of no more than necessary.

    >>> strongest(np.array([0.2, -0.5, 0.9, 0.0, -0.1]), 2)
    Strongest(top=(2, 0), bottom=(1, 4), passed_over=())
    >>> strongest(np.array([0.2, -0.5, 0.9, 0.0, -0.1]), 1, is_eligible=lambda unit: unit in {0, 4})
    Strongest(top=(0,), bottom=(4,), passed_over=(2, 1))
    """
    positive = [unit for unit in np.argsort(-values, kind="stable").tolist() if values[unit] > 0]
    negative = [unit for unit in np.argsort(values, kind="stable").tolist() if values[unit] < 0]
    top, bottom = (tuple(islice(filter(is_eligible, units), k)) for units in (positive, negative))
    chosen = {*top, *bottom}
    return Strongest(top, bottom, tuple(unit for unit in positive[:k] + negative[:k] if unit not in chosen))
