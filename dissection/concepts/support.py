"""How much of each concept has been written: images and pixels, over all categories and in each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Areas = dict[int, int]
"""Pixels by label number, of one image."""


@dataclass(slots=True)
class Support:
    """The number of images that carry a label, and the pixels that it covers on all of them."""

    images: int = 0
    pixels: int = 0

    def add(self, pixels: int) -> None:
        """Take in one image."""
        self.images += 1
        self.pixels += pixels


@dataclass(frozen=True, slots=True)
class CategoryTotal:
    """What was written in one category: images labelled in it, its concepts, and pixels of their labels."""

    category: str
    images: int
    concepts: int
    pixels: int


@dataclass(slots=True)
class Supports:
    """Support by label number, over all categories (``overall``) and in each, and images labelled in a category."""

    categories: tuple[str, ...]
    overall: dict[int, Support] = field(default_factory=dict)
    within: dict[str, dict[int, Support]] = field(default_factory=dict)
    labelled: dict[str, int] = field(default_factory=dict)

    def add(self, overall: Areas, within: Mapping[str, Areas]) -> None:
        """Take in one image: pixels by label number, over all categories and in each."""
        _add(self.overall, overall)
        for category, areas in within.items():
            _add(self.within.setdefault(category, {}), areas)
            self.labelled[category] = self.labelled.get(category, 0) + bool(areas)

    def of(self, number: int) -> Support:
        """Support of a label over all categories."""
        return self.overall.get(number, Support())

    def totals(self, numbers: Mapping[str, Iterable[int]]) -> tuple[CategoryTotal, ...]:
        """What each category holds, given the label numbers that belong to it."""
        return tuple(
            CategoryTotal(
                category,
                self.labelled.get(category, 0),
                len(set(numbers.get(category, ()))),
                sum(support.pixels for support in self.within.get(category, {}).values()),
            )
            for category in self.categories
        )


def _add(supports: dict[int, Support], areas: Areas) -> None:
    for number, area in areas.items():
        supports.setdefault(number, Support()).add(area)
