"""What COCO's categories are called here.

Things and stuff are objects, as grass, sky, wall and floor are in Broden; raw materials (cardboard, metal, paper, ...)
are materials. Supercategories that hold several categories (animal, vehicle, ground, ...) are concepts too, of the
category ``group``, so that a unit that detects animals of all kinds can be called so.
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
"""Supercategories whose own names would be taken for something else: books and vases are "indoor"."""


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """A line of COCO's table of categories."""

    number: int
    name: str
    supercategory: str


@dataclass(frozen=True, slots=True)
class CocoWords:
    """Concepts by label number, and the label of the group that a category belongs to, by the category's number."""

    concepts: Mapping[int, Concept]
    groups: Mapping[int, int]


def coco_words(categories: Sequence[CocoCategory]) -> CocoWords:
    """The concepts of COCO's categories, under COCO's numbers; groups are numbered behind them."""
    names = coco_names([category.name for category in categories])
    concepts = {
        category.number: Concept(category.number, name, _kind(category))
        for category, name in zip(categories, names, strict=True)
    }
    members = Counter(_group(category) for category in categories)
    several = [name for name, count in members.items() if name and count > 1]
    numbers = {name: number for number, name in enumerate(several, start=max(concepts) + 1) if number <= LARGEST}
    groups = {number: Concept(number, name, GROUP) for name, number in numbers.items()}
    own = {each.number: numbers[_group(each)] for each in categories if _group(each) in numbers}
    return CocoWords(dict(sorted((concepts | groups).items())), own)


def coco_names(names: Sequence[str]) -> list[str]:
    """The names as people say them: ``floor-other-merged`` is floor, ``floor-wood`` wood floor.

    Where two would be called the same, both keep their own name: they are two categories.
    """
    clean = [_clean(name) for name in names]
    count = Counter(clean)
    return [
        short if count[short] == 1 else name.lower().replace("-", " ") for name, short in zip(names, clean, strict=True)
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
    """``furniture-stuff`` and ``furniture`` are one group; materials are a category already."""
    if category.supercategory == _MATERIAL:
        return ""
    name = _bare(category.supercategory.lower()).replace("-", " ")
    return _CALLED.get(name, name)
