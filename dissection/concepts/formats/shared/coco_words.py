"""Names for COCO's categories.

Things and stuff are objects, as grass, sky, wall and floor are in Broden; raw materials (cardboard, metal, paper, ...)
are materials. Supercategories that hold several categories (animal, vehicle, ground, ...) are also concepts, of the
category ``group``, so that a unit that detects animals of all kinds can be named after them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import LARGEST
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP = "group"

_MATERIAL = "raw-material"
_UNSAID = ("-merged", "-stuff", "-other")
_SURFACES = ("ceiling", "floor", "wall")
_MADE_OF = ("brick", "concrete", "marble", "stone", "tile", "wood")
_CALLED = {
    "electronic": "electronics",
    "indoor": "indoor object",
    "kitchen": "kitchenware",
    "outdoor": "outdoor object",
    "sports": "sports equipment",
    "structural": "structure",
}
"""Supercategories whose own names would mislead: books and vases are "indoor"."""


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """A line of COCO's table of categories."""

    number: int
    name: str
    supercategory: str


@dataclass(frozen=True, slots=True)
class CocoWords:
    """Concepts by label number, and the label number of each category's group, by the category's number."""

    concepts: Mapping[int, Concept]
    groups: Mapping[int, int]


def coco_words(categories: Sequence[CocoCategory]) -> CocoWords:
    """The concepts of COCO's categories, under COCO's numbers; groups get the next numbers."""
    names = coco_names([category.name for category in categories])
    concepts = {
        category.number: Concept(category.number, name, _kind(category))
        for category, name in zip(categories, names, strict=True)
    }
    members = Counter(_group(category) for category in categories)
    several = [name for name, count in members.items() if name and count > 1]
    numbers = {name: number for number, name in enumerate(several, start=max(concepts) + 1) if number <= LARGEST}
    groups = {number: Concept(number, name, GROUP) for name, number in numbers.items()}
    group_of = {category.number: numbers[_group(category)] for category in categories if _group(category) in numbers}
    return CocoWords(dict(sorted((concepts | groups).items())), group_of)


def coco_names(names: Sequence[str]) -> list[str]:
    """The names as people say them: ``floor-other-merged`` is floor, ``floor-wood`` wood floor.

    If two would get the same name, both keep their original one: they are two categories.
    """
    cleaned = [_clean(name) for name in names]
    count = Counter(cleaned)
    return [
        cleaned_name if count[cleaned_name] == 1 else name.lower().replace("-", " ")
        for name, cleaned_name in zip(names, cleaned, strict=True)
    ]


def _clean(name: str) -> str:
    word = _bare(name.lower())
    surface, _, material = word.partition("-")
    if surface in _SURFACES and material in _MADE_OF:
        return f"{material} {surface}"
    return word.replace("-", " ")


def _bare(name: str) -> str:
    for suffix in _UNSAID:
        name = name.removesuffix(suffix)
    return name


def _kind(category: CocoCategory) -> str:
    return "material" if category.supercategory == _MATERIAL else "object"


def _group(category: CocoCategory) -> str:
    """A category's group: ``furniture-stuff`` and ``furniture`` are one; materials, already a category, have none."""
    if category.supercategory == _MATERIAL:
        return ""
    name = _bare(category.supercategory.lower()).replace("-", " ")
    return _CALLED.get(name, name)
