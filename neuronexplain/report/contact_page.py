"""A contact sheet of a concept dataset, as one HTML file that holds everything it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.files.atomic import replace_file

from .page import environment

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class Example:
    """An image that holds a concept, the share of it that the concept covers, and the picture as a JPEG file."""

    image: str
    share: float
    picture: bytes


@dataclass(frozen=True, slots=True)
class ConceptCard:
    """A concept and the images that hold it.

    Attributes:
        concept: the name as it is spoken.
        number: its label number.
        synonyms: other words for it.
        images: how many images hold it.
        share: the share of all pixels that it covers.
        examples: pictures, starting with those that show most of it.
    """

    concept: str
    number: int
    synonyms: tuple[str, ...]
    images: int
    share: float
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class CategorySheet:
    """The concepts of a category, those on most images first."""

    name: str
    cards: tuple[ConceptCard, ...]

    @property
    def shown(self) -> tuple[ConceptCard, ...]:
        """The concepts with pictures."""
        return tuple(card for card in self.cards if card.examples)

    @property
    def left_out(self) -> tuple[ConceptCard, ...]:
        """The concepts that have no pictures here for lack of room."""
        return tuple(card for card in self.cards if card.images and not card.examples)

    @property
    def absent(self) -> tuple[ConceptCard, ...]:
        """The concepts that are on no image."""
        return tuple(card for card in self.cards if not card.images)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The contents of the page.

    Attributes:
        title: the dataset's name.
        images: number of its images.
        wanted: how many pictures of each concept were requested.
        each: how many there was room for.
        categories: the categories, in the dataset's order.
    """

    title: str
    images: int
    wanted: int
    each: int
    categories: tuple[CategorySheet, ...]

    @property
    def shown(self) -> int:
        """Number of concepts with pictures."""
        return sum(len(category.shown) for category in self.categories)

    @property
    def left_out(self) -> int:
        """Number of concepts without pictures for lack of room."""
        return sum(len(category.left_out) for category in self.categories)

    @property
    def absent(self) -> int:
        """Number of concepts on no image."""
        return sum(len(category.absent) for category in self.categories)

    @property
    def pictures(self) -> int:
        """Number of pictures on the page."""
        return sum(len(card.examples) for category in self.categories for card in category.cards)


def write_sheet(path: str | os.PathLike[str], sheet: Sheet) -> None:
    """Write a contact sheet as one HTML file without outside assets or scripts; it appears whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    page = environment().get_template("sheet.html.j2").render(sheet=sheet)
    replace_file(path, page.encode("utf-8", "replace"))  # a path may hold bytes that are not text
