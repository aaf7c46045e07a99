"""Which concepts matter for a class, and for which classes a concept matters.

SQL finds the units and their importances; their sums are taken here, correctly rounded (`math.fsum`), because the sums
of database engines depend on the order in which they happen to meet the rows.
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
from dissection.vocabulary import Concept

from .errors import ConceptNotFoundError, StoreError
from .reading import read_names
from .schema import BEST, classes, concepts, importances, overlaps
from .writing import spoken_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Row

RankBy = Literal["alpha", "contribution"]


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
    """

    concept: Concept
    units: tuple[int, ...]
    alpha: float
    contribution: float
    iou: float
    images: int


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
    """

    index: int
    label: str
    images: int
    alpha: float
    contribution: float
    units: tuple[int, ...]


_NAMED = (
    overlaps.c.run == bindparam("run"),
    overlaps.c.rank == BEST,
    overlaps.c.iou >= bindparam("min_iou"),
)

# Three stretches of an index, each read from end to end and put together here: in a join, the database would search two
# of them anew for each unit.
_BEST_OVERLAPS = (
    select(overlaps.c.concept, overlaps.c.unit, overlaps.c.iou, overlaps.c.images)
    .where(*_NAMED)
    .order_by(overlaps.c.unit)
)
_IMPORTANCES_OF_CLASS = (
    select(importances.c.alpha, importances.c.contribution)
    .where(importances.c.run == bindparam("run"), importances.c["class"] == bindparam("class_index"))
    .order_by(importances.c.unit)
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

_GATHERED = (
    select(classes.c.number, classes.c.label, classes.c.images)
    .where(classes.c.run == bindparam("run"), classes.c.images.is_not(None))
    .order_by(classes.c.number)
)

# Both are lists, not joins: so each pair of class and unit is looked up, and the rest of a run is never read.
_IMPORTANCES_OF_UNITS = select(importances.c["class"], importances.c.alpha, importances.c.contribution).where(
    importances.c.run == bindparam("run"),
    importances.c["class"].in_(bindparam("classes", expanding=True)),
    importances.c.unit.in_(bindparam("units", expanding=True)),
)

_SUPPORT = select(concepts.c.images).where(concepts.c.run == bindparam("run"), concepts.c.spoken == bindparam("spoken"))

_Found = TypeVar("_Found", ClassConcept, ConceptClass)


def class_images(connection: Connection, run: int) -> dict[int, int]:
    """Images behind each class's importances, by class; classes without importances are missing keys."""
    return {row.number: row.images for row in connection.execute(_GATHERED, {"run": run})}


def concepts_of(
    connection: Connection, run: int, class_index: int, *, rank_by: RankBy, min_iou: float
) -> list[ClassConcept]:
    """Concepts that name units, by their units' importance for a class, strongest first.

    Raises:
        ClassNotFoundError: if the network has no such class.
        StoreError: if no importances were gathered for it.
    """
    _require_importances(connection, run, class_index)
    of_class = {"run": run, "class_index": class_index}
    alphas, contributions = zip(*connection.execute(_IMPORTANCES_OF_CLASS, of_class).all(), strict=True)  # unit by unit
    units: dict[int, list[int]] = defaultdict(list)
    ious: dict[int, float] = {}
    images: dict[int, int] = {}
    for concept, unit, iou, support in connection.execute(_BEST_OVERLAPS, {"run": run, "min_iou": min_iou}).all():
        units[concept].append(unit)
        ious[concept] = max(iou, ious.get(concept, iou))
        images.setdefault(concept, support)
    return _strongest(
        (
            ClassConcept(
                Concept(number, name, category),
                tuple(units[number]),
                fsum(alphas[unit] for unit in units[number]),
                fsum(contributions[unit] for unit in units[number]),
                ious[number],
                images[number],
            )
            for number, name, category in connection.execute(_CONCEPTS, {"run": run}).all()
            if number in units
        ),
        rank_by,
    )


def classes_for(
    connection: Connection, run: int, concept_name: str, *, rank_by: RankBy, min_iou: float
) -> list[ConceptClass]:
    """Classes by the importance of the units that a concept names, strongest first.

    Raises:
        ConceptNotFoundError: if the concept names no unit; the message offers near names that do.
    """
    spoken = spoken_key(concept_name)
    asked = {"run": run, "min_iou": min_iou, "spoken": spoken, "name": concept_name}
    units = connection.execute(_UNITS_NAMED, asked).scalars().all()
    if not units:
        raise _no_unit_is_named(connection, run, concept_name, min_iou)
    gathered: Sequence[Any] = connection.execute(_GATHERED, {"run": run}).all()
    pairs = {"run": run, "classes": [row.number for row in gathered], "units": units}
    members = _by_number(connection.execute(_IMPORTANCES_OF_UNITS, pairs).all())
    return _strongest((_concept_class(row, members[row.number], tuple(units)) for row in gathered), rank_by)


def _by_number(rows: Iterable[Any]) -> dict[int, list[Row[Any]]]:
    """Rows by their first column."""
    members = defaultdict(list)
    for row in rows:
        members[row[0]].append(row)
    return members


def _concept_class(found: Row[Any], rows: Sequence[Row[Any]], units: tuple[int, ...]) -> ConceptClass:
    _, alphas, contributions = zip(*rows, strict=True)
    return ConceptClass(found.number, found.label, found.images, fsum(alphas), fsum(contributions), units)


def _strongest(found: Iterable[_Found], rank_by: RankBy) -> list[_Found]:
    if rank_by not in {"alpha", "contribution"}:
        raise StoreError(f"cannot rank by {rank_by!r}: give 'alpha' or 'contribution'")
    return sorted(found, key=attrgetter(rank_by), reverse=True)  # stable: ties stay in ascending order of numbers


def _require_importances(connection: Connection, run: int, index: int) -> None:
    wanted = (classes.c.run == run) & (classes.c.number == index)
    found = connection.execute(select(classes.c.label, classes.c.images).where(wanted)).one_or_none()
    if found is None:
        raise ClassNotFoundError(f"run {run}'s network has no class of index {index}")
    if found.images is None:
        raise StoreError(
            f"run {run} holds no evidence for class {found.label!r}: no image it was built over is of that class; "
            "build with --class-images to give some"
        )


def _no_unit_is_named(connection: Connection, run: int, asked: str, min_iou: float) -> ConceptNotFoundError:
    spoken = spoken_key(asked)
    support = connection.execute(_SUPPORT, {"run": run, "spoken": spoken}).scalars().first()
    found = (
        f"no concept of run {run} is called {asked!r}"
        if support is None
        else f"concept {asked!r} is in run {run}'s data ({support} images), but names no unit at IoU {min_iou:g}"
    )
    names = _names_by_frequency(connection, run, min_iou)
    near = get_close_matches(spoken, names, n=5) or names[:8]
    return ConceptNotFoundError(f"{found}; {_offer(near)}")


def _names_by_frequency(connection: Connection, run: int, min_iou: float) -> list[str]:
    units: dict[str, int] = defaultdict(int)
    for name in read_names(connection, run, min_iou):
        units[spoken_key(name.concept.spoken)] += 1
    return sorted(units, key=lambda name: (-units[name], name))


def _offer(names: Sequence[str]) -> str:
    return f"units are named, for instance, {', '.join(names)}" if names else "no unit has a name at that IoU"
