"""What changed in names: concept by concept, and, where numbers mean the same, unit by unit."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.metrics.intervals import Figure

from .changes import FigureChange, largest_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dissection.vocabulary import Dissection, Unit, UnitName

    from .likeness import ConceptKey

_NORMAL = 1.959964
"""Half the width of a normal distribution's 95 % interval, in standard deviations."""


@dataclass(frozen=True, slots=True)
class ConceptChange:
    """What a concept names before and after.

    Attributes:
        concept: the concept, as spoken.
        category: its category.
        neurons: how many units it names; each counts with the share of resamples in which it keeps the name.
        iou: the greatest IoU of any unit with it.
    """

    concept: str
    category: str
    neurons: FigureChange
    iou: FigureChange

    @property
    def difference(self) -> Figure:
        """How many units more it names."""
        return self.neurons.difference


@dataclass(frozen=True, slots=True)
class UnitChange:
    """A unit whose name is not what it was.

    Attributes:
        unit: its number.
        before: its name in the first run; ``None`` if it has none.
        after: its name in the second run.
        kept: the share of resamples in which its best concept stays the best, in each run; ``None`` if unknown.
        is_within_noise: whether resampling the images changes one name into the other; ``None`` if unknown.
    """

    unit: int
    before: UnitName | None
    after: UnitName | None
    kept: tuple[float | None, float | None]
    is_within_noise: bool | None


@dataclass(frozen=True, slots=True)
class UnitsCompared:
    """The units of the same numbers.

    Attributes:
        units: how many there are.
        same: how many have the same name in both runs.
        unnamed: how many have a name in neither.
        changes: the others: first those beyond noise, then by their greater IoU.
    """

    units: int
    same: int
    unnamed: int
    changes: tuple[UnitChange, ...]


def concept_changes(first: Dissection, second: Dissection, *, min_iou: float) -> list[ConceptChange]:
    """Every concept that names a unit in either run, and that names more, fewer or others; the largest change first.

    Concepts are matched by their spoken names and categories, as runs over different data number them differently.
    """
    sides = [_of_concepts(dissection, min_iou) for dissection in (first, second)]
    names = sorted({key for counts, _ in sides for key in counts})
    changes = [
        ConceptChange(
            *key,
            neurons=FigureChange(*(counts.get(key) for counts, _ in sides)),
            iou=FigureChange(*(ious.get(key) for _, ious in sides)),
        )
        for key in names
    ]
    beyond = largest_first(changes)
    same = [change for change in changes if not change.difference.value and change.iou.difference.value]
    return beyond + sorted(same, key=lambda change: -abs(change.iou.difference.value))


def unit_changes(first: Dissection, second: Dissection, *, min_iou: float) -> UnitsCompared:
    """What became of the names of units; they must be those of the same layer."""
    same = unnamed = 0
    changes: list[UnitChange] = []
    for unit, other in zip(first.units, second.units, strict=True):
        names = unit.name(min_iou), other.name(min_iou)
        keys = [None if name is None else key_of(name) for name in names]
        if keys[0] == keys[1]:
            same += keys[0] is not None
            unnamed += keys[0] is None
            continue
        kept = tuple(side.evidence.kept if side.evidence else None for side in (unit, other))
        changes.append(UnitChange(unit.number, *names, (kept[0], kept[1]), _is_noise((unit, other), names, min_iou)))
    order = {False: 0, None: 1, True: 2}
    changes.sort(key=lambda change: (order[change.is_within_noise], -_greater_iou(change)))
    return UnitsCompared(len(first.units), same, unnamed, tuple(changes))


def key_of(name: UnitName) -> ConceptKey:
    """A name's concept, in any dataset."""
    return name.concept.spoken, name.concept.category


def _of_concepts(
    dissection: Dissection, min_iou: float
) -> tuple[Mapping[ConceptKey, Figure], Mapping[ConceptKey, Figure]]:
    """How many units each concept names, and the greatest IoU of any unit with it."""
    named: dict[ConceptKey, list[Unit]] = defaultdict(list)
    ious: dict[ConceptKey, Figure] = {}
    for unit in dissection.units:
        name = unit.name(min_iou)
        if name is not None:
            named[key_of(name)].append(unit)
        for rank, overlap in enumerate(unit.overlaps):
            key = overlap.concept.spoken, overlap.concept.category
            low, high = unit.evidence.iou if unit.evidence and not rank else (math.nan, math.nan)
            if key not in ious or overlap.iou > ious[key].value:
                ious[key] = Figure(overlap.iou, low, high, overlap.images)
    return {key: _count(units) for key, units in named.items()}, ious


def _count(units: Sequence[Unit]) -> Figure:
    """A number of units; each has the name in a share of resamples, independently."""
    shares = [unit.evidence.kept for unit in units if unit.evidence]
    spread = math.nan
    if len(shares) == len(units):
        spread = _NORMAL * math.sqrt(sum(share * (1 - share) for share in shares))
    return Figure(float(len(units)), len(units) - spread, len(units) + spread, units[0].overlaps[0].images)


def _is_noise(units: tuple[Unit, Unit], names: tuple[UnitName | None, UnitName | None], min_iou: float) -> bool | None:
    """Whether resampled images give a unit of either run the other run's name, or take the only name away."""
    if any(unit.evidence is None for unit in units if unit.best is not None):
        return None
    if None in names:
        return any(
            unit.evidence is not None and name is not None and unit.evidence.iou[0] < min_iou
            for unit, name in zip(units, names, strict=True)
        )
    return any(
        unit.evidence is not None
        and other is not None
        and any((runner.spoken, runner.category) == key_of(other) for runner in unit.evidence.runners_up)
        for unit, other in zip(units, reversed(names), strict=True)
    )


def _greater_iou(change: UnitChange) -> float:
    return max(name.iou for name in (change.before, change.after) if name is not None)
