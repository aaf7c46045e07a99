"""What changed in what matters for classes: lit contributions, and the shares of scores that concepts have."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from db.excess import standard_errors
from neuronexplain.classes import normal
from neuronexplain.metrics.intervals import UNKNOWN, Figure

from .changes import FigureChange
from .names import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from db import NameStore
    from db.excess import Excess
    from db.records import ClassImportance, Run
    from dissection.vocabulary import UnitName

    from .likeness import ConceptKey

_LEVEL = 0.975


@dataclass(frozen=True, slots=True)
class ClassChange:
    """A concept and a class, and a figure of the two.

    Attributes:
        label: the class, as the first network calls it.
        concept: the concept, as spoken.
        category: its category.
        neurons: how many units it names in each run.
        change: the figure; ``None`` on a side where the concept names no unit.
    """

    label: str
    concept: str
    category: str
    neurons: tuple[int, int]
    change: FigureChange

    @property
    def difference(self) -> Figure:
        """The second figure less the first."""
        return self.change.difference


@dataclass(frozen=True, slots=True)
class StoredSide:
    """One of the two runs.

    Attributes:
        store: where it is kept.
        run: the run.
        units_of: the units of each concept that names any.
    """

    store: NameStore
    run: Run
    units_of: Mapping[ConceptKey, Sequence[int]]


def units_of(names: Iterable[UnitName]) -> Mapping[ConceptKey, Sequence[int]]:
    """The units of each concept that names any, ascending."""
    units: dict[ConceptKey, list[int]] = defaultdict(list)
    for name in names:
        units[key_of(name)].append(name.unit)
    return units


def shared_classes(first: Run, second: Run) -> list[tuple[int, int]]:
    """Indices of the classes that both networks have, by label; labels that a network has twice are left out."""
    sides = [_by_label(run) for run in (first, second)]
    return [
        (indices[0], sides[1][label][0])
        for label, indices in sides[0].items()
        if len(indices) == 1 and len(sides[1].get(label, ())) == 1
    ]


def lit_changes(first: StoredSide, second: StoredSide, classes: Sequence[tuple[int, int]]) -> list[ClassChange] | None:
    """By how much more each concept's lit cells contribute to each class than to the average class, in both runs.

    ``None`` where a run keeps no statistics of classes, see :mod:`db.excess`.
    """
    before, after = (side.store.lit_contributions(side.run) for side in (first, second))
    if before is None or after is None:
        return None
    excesses = [
        {key: kept.excesses(units) for key, units in side.units_of.items()}
        for side, kept in ((first, before), (second, after))
    ]
    return [
        _change(
            first,
            second,
            pair,
            key,
            [_of_excess(side.get(key, {}).get(index)) for side, index in zip(excesses, pair, strict=True)],
        )
        for pair in classes
        for key in _all_keys(first, second)
    ]


def share_changes(
    first: StoredSide,
    second: StoredSide,
    classes: Sequence[tuple[int, int]],
    progress: Callable[[int], None] = lambda _done: None,
) -> list[ClassChange]:
    """The share of each class's score that each concept's units have, in both runs.

    The share is ``sum_{k in K} m_k / sum_k |m_k|``, with ``m_k`` the mean of ``alpha_k mean(A^k)`` over the class's
    images: where pooling and a linear layer follow, these are the terms of the score. The interval is that of the
    numerator, with the errors of units added up, which is the most that they can be.
    """
    changes: list[ClassChange] = []
    for done, pair in enumerate(classes, start=1):
        importances = [
            side.store.importance(side.run, index) for side, index in zip((first, second), pair, strict=True)
        ]
        if all(importance is not None and importance.contributions.any() for importance in importances):
            for key in _all_keys(first, second):
                figures = [
                    score_share(importance, side.units_of[key]) if key in side.units_of else None
                    for side, importance in zip((first, second), importances, strict=True)
                    if importance is not None
                ]
                changes.append(_change(first, second, pair, key, figures))
        progress(done)
    return changes


def score_share(importance: ClassImportance, units: Sequence[int]) -> Figure:
    """The share of a class's score that units have; unknown where nothing contributes to the class at all.

    Its interval is unknown without squares, or for one image.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 -- takes a while to import

    total = float(np.abs(importance.contributions).sum())
    chosen = list(units)
    if not total:
        return UNKNOWN
    value, half = float(importance.contributions[chosen].sum()) / total, math.nan
    if importance.contribution_squares is not None and importance.images > 1:
        errors = standard_errors(importance.contributions, importance.contribution_squares, importance.images)
        half = float(errors[chosen].sum()) / total * float(stdtrit(importance.images - 1, _LEVEL))
    return Figure(value, value - half, value + half, importance.images)


def _by_label(run: Run) -> dict[str, list[int]]:
    indices: dict[str, list[int]] = defaultdict(list)
    for index, label in enumerate(run.classes):
        indices[normal(label)].append(index)
    return indices


def _all_keys(first: StoredSide, second: StoredSide) -> list[ConceptKey]:
    return sorted(set(first.units_of) | set(second.units_of))


def _change(
    first: StoredSide, second: StoredSide, pair: tuple[int, int], key: ConceptKey, figures: Sequence[Figure | None]
) -> ClassChange:
    neurons = len(first.units_of.get(key, ())), len(second.units_of.get(key, ()))
    return ClassChange(first.run.classes[pair[0]], *key, neurons, FigureChange(figures[0], figures[1]))


def _of_excess(excess: Excess | None) -> Figure | None:
    if excess is None:
        return None
    low, high = excess.interval or (math.nan, math.nan)
    return Figure(excess.value, low, high, excess.images)
