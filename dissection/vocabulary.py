"""The nouns of network dissection, as frozen values. Nothing here needs torch.

Unit
    one channel of a layer, counted from 0; users read "neuron" for it.
Concept
    something a person can point at in an image: a name and a category.
Name
    the concept that a unit's strongest activations overlap best, if that overlap is large enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from jaxtyping import Int32

MIN_IOU = 0.05
"""A unit is named if its best IoU reaches this (Grad-CAM paper, Sec. 7, footnote 7)."""

QUANTILE = 0.005
"""Share of a unit's activations that count as strong (Bau et al. 2017, Sec. 2.2)."""

MIN_IMAGES = 10
"""A concept in fewer images than this cannot become a name: rare concepts win by chance."""

THIN_EVIDENCE = 10
"""A mean over fewer images of a class than this is reported as thin evidence."""


Precision = Literal["float32", "fast", "bfloat16"]
"""The arithmetic of a network, see :mod:`dissection.networks.precision`."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The tap point: a module whose output is the feature map ``A``, rectified if the network rectifies it.

    Attributes:
        name: dotted module name, e.g. ``features.29``.
        units: number of channels.
        height: rows of the map at the network's input size.
        width: columns of the map.
        rectifier: the function (``relu`` or ``relu6``) that the network calls on the module's output before anything
            else, if a function and not a module rectifies it; empty if the output itself is the map.
    """

    name: str
    units: int
    height: int
    width: int
    rectifier: str = ""


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


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of one image.

    Attributes:
        maps: label maps, stacked; 0 means "none".
        whole: label numbers that hold for the whole image (scenes, textures), never 0.
    """

    maps: Int32[np.ndarray, "layers h w"]
    whole: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a unit's mask and a concept's labels overlap over a dataset, in pixels of the label maps.

    Attributes:
        concept: the concept.
        intersection: ``I``, pixels in both.
        unit_area: ``A``, the mask's pixels in images with a label of the concept's category.
        concept_area: ``G``, the concept's pixels.
        images: images that show the concept.
    """

    concept: Concept
    intersection: int
    unit_area: int
    concept_area: int
    images: int

    @property
    def union(self) -> int:
        """``A + G - I``."""
        return self.unit_area + self.concept_area - self.intersection

    @property
    def iou(self) -> float:
        """Intersection over union; 0 if the union is empty."""
        return self.intersection / self.union if self.union else 0.0


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One of the images that excite a unit most, and the map's cell of that activation."""

    image: str
    index: int
    activation: float
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class UnitName:
    """A unit's name and the evidence for it."""

    unit: int
    concept: Concept
    iou: float
    images: int


@dataclass(frozen=True, slots=True)
class Unit:
    """One dissected unit.

    Attributes:
        number: index of the channel, from 0.
        threshold: ``T_k``; the mask is where the upsampled map is strictly greater.
        overlaps: the ten best concepts and the best of each category, best first (ties: lower label number).
        exemplars: the images that excite the unit most, strongest first.
    """

    number: int
    threshold: float
    overlaps: tuple[Overlap, ...]
    exemplars: tuple[Exemplar, ...]

    @property
    def best(self) -> Overlap | None:
        """The best overlap, however small; ``None`` if the mask overlaps no concept."""
        return self.overlaps[0] if self.overlaps else None

    def name(self, min_iou: float = MIN_IOU) -> UnitName | None:
        """The unit's name, or ``None`` if no concept reaches ``min_iou``."""
        best = self.best
        if best is None or best.iou < min_iou:
            return None
        return UnitName(self.number, best.concept, best.iou, best.images)


@dataclass(frozen=True, slots=True)
class ConceptSupport:
    """A concept and how much of it a dataset shows."""

    concept: Concept
    images: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Dissection:
    """Names for the units of one layer, and the evidence for them.

    Attributes:
        layer: the dissected layer.
        quantile: share of activations above each threshold.
        min_images: images a concept must appear in to become a name.
        images: number of images examined.
        pixels: number of label-map pixels examined.
        concepts: every concept of the dataset with its support, by label number.
        units: one entry per unit, in order.
    """

    layer: Layer
    quantile: float
    min_images: int
    images: int
    pixels: int
    concepts: tuple[ConceptSupport, ...]
    units: tuple[Unit, ...]

    def names(self, min_iou: float = MIN_IOU) -> Mapping[int, UnitName]:
        """Names by unit; a unit without a name is a missing key."""
        return {name.unit: name for name in self._names(min_iou)}

    def _names(self, min_iou: float) -> Iterator[UnitName]:
        for unit in self.units:
            name = unit.name(min_iou)
            if name is not None:
                yield name
