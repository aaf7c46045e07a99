"""Random units that are as active as chosen ones: what a change of the chosen units is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Float64

NEAREST = 5
"""How many of the units that are closest in activity one is drawn from."""


def like_units(
    units: Sequence[int],
    activity: Float64[np.ndarray, " units"],
    candidates: Iterable[int],
    generator: np.random.Generator,
) -> tuple[int, ...]:
    """For each unit, one of the ``NEAREST`` candidates whose activity is closest, drawn at random and only once.

    Args:
        units: the units, of which none is drawn; those for which no candidate is left go without.
        activity: how active each unit of the layer is.
        candidates: the units that may be drawn.
        generator: where chance comes from.
    """
    left = sorted(set(candidates) - set(units))
    drawn: list[int] = []
    for unit in units:
        if not left:
            break
        distance = np.abs(activity[left] - activity[unit])
        nearest = np.argsort(distance, kind="stable")[:NEAREST]
        drawn.append(left.pop(int(generator.choice(nearest))))
    return tuple(drawn)
