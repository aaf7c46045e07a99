"""Whether a unit's number means the same in two runs: only where one network was trained on from the other.

Training from scratch, or a permutation, gives units other numbers. So it is measured: a unit is described by its IoU
with each concept, and is a *twin* of the unit of its number in the other run if none of that run's units is more like
it (by the cosine). Of unrelated networks about one unit in as many as there are is a twin; of one and the same, all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float64

    from dissection.vocabulary import Dissection

LEAST_TWINS = 0.5
"""The share of twins from which numbers are taken to mean the same."""

_ROUNDING = 1e-12

ConceptKey = tuple[str, str]
"""A concept in any dataset: its spoken name and its category."""


@dataclass(frozen=True, slots=True)
class UnitLikeness:
    """How like each other the units of the same number are.

    Attributes:
        units: how many units overlap some concept in both runs.
        twins: how many of them are twins.
        cosine: the mean cosine of units of the same number; 0 if there are none.
    """

    units: int
    twins: int
    cosine: float

    @property
    def share(self) -> float:
        """The share of twins; 0 if there are no units."""
        return self.twins / self.units if self.units else 0.0

    @property
    def is_same(self) -> bool:
        """Whether a unit's number may be taken to mean the same in both runs."""
        return self.share >= LEAST_TWINS


def unit_likeness(first: Dissection, second: Dissection) -> UnitLikeness | None:
    """How like each other units of the same number are; ``None`` if the layers differ in units."""
    if len(first.units) != len(second.units):
        return None
    keys = {key: column for column, key in enumerate(sorted(_keys(first) | _keys(second)))}
    vectors, others = _directions(first, keys), _directions(second, keys)
    both = np.flatnonzero(vectors.any(1) & others.any(1))
    if not len(both):
        return UnitLikeness(0, 0, 0.0)
    cosines = vectors[both] @ others.T
    same = cosines[np.arange(len(both)), both]
    twins = int((same >= cosines.max(1) - _ROUNDING).sum())
    return UnitLikeness(len(both), twins, float(same.mean()))


def _keys(dissection: Dissection) -> set[ConceptKey]:
    return {
        (overlap.concept.spoken, overlap.concept.category) for unit in dissection.units for overlap in unit.overlaps
    }


def _directions(dissection: Dissection, columns: Mapping[ConceptKey, int]) -> Float64[np.ndarray, "units concepts"]:
    """Each unit's IoUs with the concepts, scaled to length 1; zeros where it overlaps nothing."""
    values = np.zeros((len(dissection.units), len(columns)))
    for unit in dissection.units:
        for overlap in unit.overlaps:
            values[unit.number, columns[overlap.concept.spoken, overlap.concept.category]] = overlap.iou
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    directions: Float64[np.ndarray, "units concepts"] = np.divide(
        values, lengths, out=np.zeros_like(values), where=lengths > 0
    )
    return directions
