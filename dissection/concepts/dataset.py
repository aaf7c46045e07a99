"""What the dissection needs from a concept dataset: photographs, and labels for their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from dissection.vocabulary import Concept, Labels


@runtime_checkable
class ConceptDataset(Protocol):
    """Photographs with pixel labels. Label maps may differ in size from image to image."""

    @property
    def name(self) -> str:
        """A short name for people."""
        ...

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """Every concept by its label number, in ascending order; numbers may have gaps."""
        ...

    @property
    def categories(self) -> Sequence[str]:
        """The categories in the dataset's own order."""
        ...

    def __len__(self) -> int: ...

    def image_name(self, index: int) -> str:
        """Name of an image, unique in the dataset; for people and for the store."""
        ...

    def photograph(self, index: int) -> Image.Image:
        """The photograph as an 8-bit RGB image, the whole frame that the label maps cover."""
        ...

    def labels(self, index: int) -> Labels:
        """The labels of the same frame."""
        ...

    def files(self, index: int) -> Sequence[Path]:
        """The files that image ``index`` is made of, the photograph first: what a fingerprint reads."""
        ...
