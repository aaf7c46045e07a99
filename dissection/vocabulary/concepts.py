"""What a person can point at in an image, and the labels that say where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from jaxtyping import Int32


class Combined(Protocol):
    """Where something is, so that it can be combined: bits of a whole number, or an array of truth values."""

    def __and__(self, other: Self, /) -> Self: ...
    def __or__(self, other: Self, /) -> Self: ...
    def __invert__(self) -> Self: ...


Places = TypeVar("Places", bound=Combined)


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept of a dataset; ``number`` is its label in the label maps, from 1 (0 means "none")."""

    number: int
    name: str
    category: str

    @property
    def spoken(self) -> str:
        """The name as people say it: without Broden's ``-s`` (scene) and ``-c`` (colour) endings or underscores."""
        name = self.name
        if (self.category == "scene" and name.endswith("-s")) or (self.category == "color" and name.endswith("-c")):
            name = name[:-2]
        return name.replace("_", " ").strip()

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Itself: as a formula, it has one concept."""
        return (self,)

    def worded(self, word: Callable[[Concept], str]) -> str:
        """As ``word`` words it."""
        return word(self)

    def holds(self, carries: Callable[[Concept], Places]) -> Places:
        """Where it is, see :meth:`Formula.holds`."""
        return carries(self)


@dataclass(frozen=True, slots=True)
class ConceptSupport:
    """A concept and how much of it a dataset shows."""

    concept: Concept
    images: int
    pixels: int


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of one image.

    Attributes:
        maps: label maps, stacked; 0 means "none".
        whole: label numbers that hold for the whole image (scenes, textures), never 0.
    """

    maps: Int32[np.ndarray, "layers h w"]
    whole: tuple[int, ...] = ()


def spoken_list(concepts: Iterable[Concept]) -> str:
    """The names of concepts as people say them, each once."""
    return ", ".join(dict.fromkeys(concept.spoken for concept in concepts))
