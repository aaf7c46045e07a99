"""What speaks for a unit's name: how often its concept is there, chance, and stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .concepts import Concept


@dataclass(frozen=True, slots=True)
class Truth:
    """How often a concept is there when a unit responds, and when not: counts of images labelled in its category.

    Attributes:
        lit_images: images on which the unit is lit: some cell of its map exceeds the threshold.
        hit_images: those of them that carry the concept.
        dark_images: images on which it is not lit.
        missed_images: those of them that carry the concept.
    """

    lit_images: int
    hit_images: int
    dark_images: int
    missed_images: int

    @property
    def precision(self) -> float:
        """The share of the lit images that carry the concept; 0 where the unit is never lit."""
        return self.hit_images / self.lit_images if self.lit_images else 0.0

    @property
    def absence(self) -> float:
        """The share of images without the concept among those on which the unit is not lit.

        With one image more, which lacks the concept as often as images do on the whole; 0 if there are no images.
        """
        images = self.lit_images + self.dark_images
        if not images:
            return 0.0
        lacking = 1 - (self.hit_images + self.missed_images) / images
        return (self.dark_images - self.missed_images + lacking) / (self.dark_images + 1)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of the images on which a unit is lit, by the strength of its response.

    Attributes:
        least: the weakest peak of the quarter.
        images: how many images are in it.
        hits: how many of them carry the concept of the unit's best overlap, or in how many its formula holds.
    """

    least: float
    images: int
    hits: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a unit's best overlap.

    Attributes:
        p: how likely as great an IoU is by chance, for the best of all concepts.
        q: the rate of false names among the units of the layer whose ``p`` is as small.
        kept: share of resamples of the images in which the concept stays the best.
        iou: 95 % interval of the IoU.
        margin: 95 % interval of the IoU less that of the best other concept.
        runners_up: concepts that are best in at least a tenth of the resamples, most often first.
        quarters: the lit images by strength, weakest first; empty where there are none.
        lit_map: the unit's map, row by row, on its fifth strongest image that carries the concept: cells above the
            threshold and their neighbours, 0 elsewhere. Empty where it responds to no such image.
        control: the greatest IoU that a unit of the same network with shuffled weights has with the concept; ``None``
            where no control was made.
    """

    p: float
    q: float
    kept: float
    iou: tuple[float, float]
    margin: tuple[float, float]
    runners_up: tuple[Concept, ...]
    quarters: tuple[Quarter, ...]
    lit_map: tuple[float, ...]
    control: float | None = None
