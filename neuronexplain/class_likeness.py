"""Which classes rest on the same concepts, and which concepts tell them apart.

A class is the vector of what its units' lit cells contribute to it above the average class (:mod:`db.excess`), over the
units that have a name. Classes are as alike as the cosine of their vectors says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.excess import Excess, LitContributions

_ALIKE = 5
_APART = 3


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a concept contributes to one class above what it contributes to another."""

    concept: str
    difference: Excess


@dataclass(frozen=True, slots=True)
class AlikeClass:
    """A class that rests on much the same as another.

    Attributes:
        index: the class.
        likeness: the cosine, at most 1.
        apart: the concepts that tell the two apart most; positive differences speak for the other class.
    """

    index: int
    likeness: float
    apart: tuple[Contrast, ...]


def most_alike(
    kept: LitContributions, index: int, units_of: Mapping[str, Sequence[int]], *, count: int = _ALIKE
) -> list[AlikeClass]:
    """The classes most like one, the most alike first; none where nothing is kept of it.

    Args:
        kept: the lit contributions of a run.
        index: the class that others are compared with.
        units_of: the units of each concept that names any.
        count: how many classes at most.
    """
    named = sorted(unit for units in units_of.values() for unit in units)
    if index not in kept.classes or not named:
        return []
    vectors = kept.means[:, named] - kept.means[:, named].mean(0)
    lengths = np.linalg.norm(vectors, axis=1)
    row = kept.classes.index(index)
    products = lengths * lengths[row]
    cosines = np.divide(vectors @ vectors[row], products, out=np.zeros_like(lengths), where=products > 0)
    order = [place for place in np.argsort(-cosines, kind="stable").tolist() if place != row and cosines[place] > 0]
    return [
        AlikeClass(kept.classes[place], float(cosines[place]), _apart(kept, index, kept.classes[place], units_of))
        for place in order[:count]
    ]


def _apart(
    kept: LitContributions, index: int, other: int, units_of: Mapping[str, Sequence[int]]
) -> tuple[Contrast, ...]:
    difference = kept.means[kept.classes.index(index)] - kept.means[kept.classes.index(other)]
    strongest = sorted(units_of, key=lambda concept: -abs(difference[list(units_of[concept])].mean()))[:_APART]
    return tuple(Contrast(concept, kept.contrast(index, other, units_of[concept])) for concept in strongest)
