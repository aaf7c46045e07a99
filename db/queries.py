"""Which concepts matter for a class, and for which classes a concept matters.

SQL finds the units; the sums of their importances are taken here, correctly rounded (`math.fsum`). A sum of alphas
grows with the number of units that have a name. The excess of the lit contribution (:mod:`db.excess`) is a mean over
them, compared with other classes; it needs the statistics of all classes, which runs before schema 3 lack.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from math import fsum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import bindparam, or_, select

from dissection.errors import ClassNotFoundError
from dissection.vocabulary import THIN_EVIDENCE, Concept

from .errors import ConceptNotFoundError, StoreError
from .fetching import fetched
from .reading import read_importance, read_importances, read_lit_contributions, read_names
from .rows import spoken_key
from .schema import BEST, classes, concepts, overlaps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from .excess import Excess
    from .records import Run

RankBy = Literal["lit", "alpha", "contribution"]
"""What answers are ranked by: the excess of the lit contribution, or a sum of means."""


@dataclass(frozen=True, slots=True)
class ClassConcept:
    """A concept that matters for a class.

    Attributes:
        concept: the concept.
        units: the units it names.
        alpha: sum of the units' mean alphas for the class.
        contribution: sum of the units' mean contributions to the class.
        iou: the best IoU among the units.
        images: images of the concept dataset that carry the concept.
        lit: how much more the units' lit cells contribute to the class than to the average class; ``None`` where the
            run keeps no statistics of classes.
    """

    concept: Concept
    units: tuple[int, ...]
    alpha: float
    contribution: float
    iou: float
    images: int
    lit: Excess | None = None


@dataclass(frozen=True, slots=True)
class ConceptClass:
    """A class that a concept matters for.

    Attributes:
        index: the class.
        label: its label.
        images: images behind the class's means.
        alpha: sum of the mean alphas of the concept's units.
        contribution: sum of the mean contributions of the concept's units.
        units: the units that the concept names.
        lit: how much more their lit cells contribute to the class than to the average class; ``None`` where the run
            keeps no statistics of classes.
    """

    index: int
    label: str
    images: int
    alpha: float
    contribution: float
    units: tuple[int, ...]
    lit: Excess | None = None

    @property
    def is_thin(self) -> bool:
        """Whether fewer images are behind it than a mean should rest on."""
        return self.images < THIN_EVIDENCE


_NAMED = (
    overlaps.c.run == bindparam("run"),
    overlaps.c.rank == BEST,
    overlaps.c.iou >= bindparam("min_iou"),
)

# Two ranges of an index, each read from end to end and joined in Python: in an SQL join, the database would search one
# of them again for each unit.
_BEST_OVERLAPS = (
    select(overlaps.c.concept, overlaps.c.unit, overlaps.c.iou, overlaps.c.images)
    .where(*_NAMED)
    .order_by(overlaps.c.unit)
)
_CONCEPTS = (
    select(concepts.c.number, concepts.c.name, concepts.c.category)
    .where(concepts.c.run == bindparam("run"))
    .order_by(concepts.c.number)
)

_UNITS_NAMED = (
    select(overlaps.c.unit)
    .join(concepts, (concepts.c.run == overlaps.c.run) & (concepts.c.number == overlaps.c.concept))
    .where(*_NAMED, or_(concepts.c.spoken == bindparam("spoken"), concepts.c.name == bindparam("name")))
    .order_by(overlaps.c.unit)
)

_SUPPORT = select(concepts.c.images).where(concepts.c.run == bindparam("run"), concepts.c.spoken == bindparam("spoken"))

_Ranked = TypeVar("_Ranked", ClassConcept, ConceptClass)


def class_images(connection: Connection, run: int) -> dict[int, int]:
    """Images behind each class's importances, by class; classes without importances are missing keys."""
    gathered = select(classes.c.number, classes.c.images).where(classes.c.run == run, classes.c.images.is_not(None))
    return {row.number: row.images for row in fetched(connection, gathered.order_by(classes.c.number))}


def concepts_of(
    connection: Connection, run: Run, class_index: int, *, rank_by: RankBy | None, min_iou: float
) -> list[ClassConcept]:
    """Concepts that name units, by their units' importance for a class, strongest first.

    Raises:
        ClassNotFoundError: if the network has no such class.
        StoreError: if no importances were gathered for it, or they are damaged, or it cannot be ranked by ``rank_by``.
    """
    importance = read_importance(connection, run, class_index)
    if importance is None:
        raise _no_importances(run, class_index)
    alphas, contributions = importance.alphas.tolist(), importance.contributions.tolist()
    units: dict[int, list[int]] = defaultdict(list)
    ious: dict[int, float] = {}
    images: dict[int, int] = {}
    for row in fetched(connection, _BEST_OVERLAPS, run=run.id, min_iou=min_iou):
        units[row.concept].append(row.unit)
        ious[row.concept] = max(row.iou, ious.get(row.concept, row.iou))
        images.setdefault(row.concept, row.images)
    kept = read_lit_contributions(connection, run)
    return _strongest(
        [
            ClassConcept(
                Concept(row.number, row.name, row.category),
                tuple(units[row.number]),
                fsum(alphas[unit] for unit in units[row.number]),
                fsum(contributions[unit] for unit in units[row.number]),
                ious[row.number],
                images[row.number],
                kept.excess(class_index, units[row.number]) if kept else None,
            )
            for row in fetched(connection, _CONCEPTS, run=run.id)
            if row.number in units
        ],
        ranking(run, rank_by, has_statistics=kept is not None),
    )


def classes_for(
    connection: Connection, run: Run, concept_name: str, *, rank_by: RankBy | None, min_iou: float
) -> list[ConceptClass]:
    """Classes by the importance of the units that a concept names, strongest first.

    Raises:
        ConceptNotFoundError: if the concept names no unit; the message offers near names that do.
        StoreError: if a class's importances are damaged, or cannot be ranked by ``rank_by``.
    """
    units = units_named(connection, run, concept_name, min_iou=min_iou)
    kept = read_lit_contributions(connection, run)
    excesses = kept.excesses(units) if kept else {}
    return _strongest(
        [
            ConceptClass(
                importance.index,
                importance.label,
                importance.images,
                fsum(importance.alphas[units]),
                fsum(importance.contributions[units]),
                tuple(units),
                excesses.get(importance.index),
            )
            for importance in read_importances(connection, run)
        ],
        ranking(run, rank_by, has_statistics=kept is not None),
    )


def units_named(connection: Connection, run: Run, concept_name: str, *, min_iou: float) -> list[int]:
    """The units that a concept names, as spoken, in any case; ascending.

    Raises:
        ConceptNotFoundError: if there are none; the message offers near names.
    """
    spoken = spoken_key(concept_name)
    parameters = {"run": run.id, "min_iou": min_iou, "spoken": spoken, "name": concept_name}
    units = [row.unit for row in fetched(connection, _UNITS_NAMED, **parameters)]
    if not units:
        raise _names_no_unit(connection, run.id, concept_name, min_iou)
    return units


def ranking(run: Run, rank_by: RankBy | None, *, has_statistics: bool) -> RankBy:
    """What answers are ranked by: by default the lit contribution, where statistics are kept, and otherwise alpha.

    Raises:
        StoreError: if there is no such ranking, or the run lacks what it needs.
    """
    if rank_by is None:
        return "lit" if has_statistics else "alpha"
    if rank_by not in _KEYS:
        raise StoreError(f"cannot rank by {rank_by!r}: give 'lit', 'alpha' or 'contribution'")
    if rank_by == "lit" and not has_statistics:
        raise StoreError(
            f"run {run.id} keeps no class statistics, so nothing can be ranked by 'lit': build it again with draws, or "
            "rank by 'alpha' or 'contribution'"
        )
    return rank_by


_KEYS: dict[RankBy, Callable[[Any], float]] = {
    "lit": attrgetter("lit.value"),
    "alpha": attrgetter("alpha"),
    "contribution": attrgetter("contribution"),
}


def _strongest(entries: list[_Ranked], rank_by: RankBy) -> list[_Ranked]:
    return sorted(entries, key=_KEYS[rank_by], reverse=True)  # stable: ties stay in ascending order of numbers


def _no_importances(run: Run, index: int) -> ClassNotFoundError | StoreError:
    if not 0 <= index < len(run.classes):
        return ClassNotFoundError(f"run {run.id}'s network has no class of index {index}")
    return StoreError(
        f"run {run.id} holds no evidence for class {run.classes[index]!r}: it was built over no image "
        "of that class; build with --class-images to give some"
    )


def _names_no_unit(connection: Connection, run: int, name: str, min_iou: float) -> ConceptNotFoundError:
    spoken = spoken_key(name)
    support = next((row.images for row in fetched(connection, _SUPPORT, run=run, spoken=spoken)), None)
    problem = (
        f"no concept of run {run} is called {name!r}"
        if support is None
        else f"concept {name!r} is in run {run}'s data ({support} images), but names no unit at IoU {min_iou:g}"
    )
    names = _names_by_frequency(connection, run, min_iou)
    near = get_close_matches(spoken, names, n=5) or names[:8]
    return ConceptNotFoundError(f"{problem}; {_offer(near)}")


def _names_by_frequency(connection: Connection, run: int, min_iou: float) -> list[str]:
    units: dict[str, int] = defaultdict(int)
    for name in read_names(connection, run, min_iou):
        units[spoken_key(name.concept.spoken)] += 1
    return sorted(units, key=lambda name: (-units[name], name))


def _offer(names: Sequence[str]) -> str:
    return (
        f"choose a name of its units, such as {', '.join(names)}"
        if names
        else "no unit has a name at that IoU: choose a lower one"
    )
