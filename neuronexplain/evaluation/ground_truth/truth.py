"""What is known of a photograph: which objects are in it, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from jaxtyping import Bool, Float64
    from PIL import Image

Objects = dict[str, tuple[int, ...]]
"""The network's classes that mean an object, by its name: several breeds are a dog."""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectLocation:
    """Where an object is in a photograph.

    Attributes:
        boxes: its instances: left, top, right and bottom as shares of the photograph's width and height.
        mask: its pixels, on a grid of any size over the whole photograph; None where only boxes are known.
    """

    boxes: Float64[np.ndarray, "instances 4"]
    mask: Bool[np.ndarray, "h w"] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """A photograph with what is known of it.

    Attributes:
        name: unique in its dataset.
        photograph: 8-bit RGB, the whole frame.
        places: the objects in it, by name; those alone that the network has a class for.
        void: pixels that nothing is known of, as a mask like a place's.
    """

    name: str
    photograph: Image.Image
    places: Mapping[str, ObjectLocation]
    void: Bool[np.ndarray, "h w"] | None = None


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
        """What names the data, for a digest: anything that would change an answer changes it."""
        ...
