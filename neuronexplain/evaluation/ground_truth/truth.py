"""What is known about a photograph: which objects are in it, and where; what people say of it, and ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from jaxtyping import Bool, Float64
    from PIL import Image

Objects = dict[str, tuple[int, ...]]
"""The network's classes that mean an object, by the object's name: several breeds are a dog.

No class need mean an object that words or questions are about.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectLocation:
    """Where an object is in a photograph.

    Attributes:
        boxes: boxes of its instances: left, top, right and bottom as shares of the photograph's width and height.
        mask: its pixels, on a grid of any size over the whole photograph; None if only boxes are known.
    """

    boxes: Float64[np.ndarray, "instances 4"]
    mask: Bool[np.ndarray, "h w"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question about a photograph, and its answer.

    Attributes:
        text: the question.
        answer: the right answer.
        kind: what it asks for, such as a colour; empty if nobody says.
        about: the name of the object that it asks about, if one is known.
        gazes: where people looked to answer it, a map over the whole photograph for each of them.
    """

    text: str
    answer: str
    kind: str = ""
    about: str | None = None
    gazes: tuple[Float64[np.ndarray, "_ _"], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """A photograph and what is known about it.

    Attributes:
        name: unique in its dataset.
        photograph: 8-bit RGB, the whole frame.
        places: the objects in it, by name; only those that the network has a class for.
        void: pixels about which nothing is known, as a mask like a place's.
        categories: every category of object that is annotated in it, whether or not the network has a class for it.
        captions: what people say of it.
        questions: what is asked about it.
        setting: the place that it shows, such as a beach; empty if that is not known.
    """

    name: str
    photograph: Image.Image
    places: Mapping[str, ObjectLocation]
    void: Bool[np.ndarray, "h w"] | None = None
    categories: frozenset[str] = frozenset()
    captions: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    setting: str = ""


class Ground(Protocol):
    """Photographs whose objects are known and matched to a network's classes."""

    @property
    def name(self) -> str:
        """A short name for people."""
        ...

    @property
    def objects(self) -> Objects:
        """Every object that can be asked about, in the dataset's order."""
        ...

    def __len__(self) -> int: ...

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph and what is in it."""
        ...

    def identity(self) -> str:
        """A text that identifies the data, for a digest: it changes with anything that would change a result."""
        ...
