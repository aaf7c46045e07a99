"""A dissected unit: its overlaps with concepts, its exemplars, its name and what it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .concepts import spoken_list
from .settings import MAX_Q, MIN_IOU

if TYPE_CHECKING:
    from .concepts import Concept
    from .evidence import Evidence, Quarter, Truth
    from .formulas import Composition, Meaning


@dataclass(frozen=True, slots=True)
class Overlap:
    """How a unit's mask and a concept's labels overlap over a dataset, in pixels of the label maps.

    Attributes:
        concept: the concept.
        intersection: ``I``, pixels in both.
        unit_area: ``A``, the mask's pixels in images with a label of the concept's category.
        concept_area: ``G``, the concept's pixels.
        images: images that carry the concept.
        truth: how often the concept is there when the unit responds; ``None`` where that was not counted.
    """

    concept: Concept
    intersection: int
    unit_area: int
    concept_area: int
    images: int
    truth: Truth | None = None

    def with_truth(self, truth: Truth) -> Overlap:
        """The same, counted; a run has tens of thousands, and ``dataclasses.replace`` takes five times as long."""
        return Overlap(self.concept, self.intersection, self.unit_area, self.concept_area, self.images, truth)

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
    """One of the images that excite a unit most, and the map's cell of that activation.

    Attributes:
        image: the image's name.
        index: its number in the dataset.
        activation: the greatest activation on it.
        row: row of that cell.
        column: column of that cell.
        concepts: what the labels say of the cell's centre: every concept that covers it, by category and then by
            number; empty where nothing is labelled there, or labels were not looked up.
    """

    image: str
    index: int
    activation: float
    row: int
    column: int
    concepts: tuple[Concept, ...] = ()

    @property
    def shows(self) -> str:
        """What is labelled there, as people say it: ``sand, beach``."""
        return spoken_list(self.concepts)


@dataclass(frozen=True, slots=True)
class UnitName:
    """A unit's name and the evidence for it."""

    unit: int
    concept: Concept
    iou: float
    images: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a unit stands for, and how often that is there when it responds.

    Attributes:
        meaning: its name's concept, or the formula that describes it better.
        truth: how often that is there when the unit responds, and when not; ``None`` where it was not counted.
        quarters: the lit images by strength, weakest first, see :class:`Evidence`.
        lit_map: the unit's map on an image where that is, see :class:`Evidence`.
    """

    meaning: Meaning
    truth: Truth | None
    quarters: tuple[Quarter, ...] = ()
    lit_map: tuple[float, ...] = ()

    def truth_at(self, peak: float) -> float | None:
        """The share of images where it is there if the unit responds this strongly; ``None`` where it was not counted.

        The quarter's own share, with one image more that counts at the unit's overall precision.

        Args:
            peak: the greatest activation on an image.
        """
        if self.truth is None:
            return None
        overall = self.truth.precision
        if not self.quarters:
            return overall
        quarter = next((one for one in reversed(self.quarters) if peak >= one.least), self.quarters[0])
        return (quarter.hits + overall) / (quarter.images + 1)


@dataclass(frozen=True, slots=True)
class Unit:
    """One dissected unit.

    Attributes:
        number: index of the channel, from 0.
        threshold: ``T_k``; the mask is where the upsampled map is strictly greater.
        overlaps: the ten best concepts and the best of each category, best first (ties: lower label number).
        exemplars: the images that excite the unit most, strongest first.
        evidence: what speaks for the best overlap; ``None`` where there is no overlap, or evidence was not gathered.
        compositions: formulas of several concepts, accepted or not, at most one of each length, shortest first.
    """

    number: int
    threshold: float
    overlaps: tuple[Overlap, ...]
    exemplars: tuple[Exemplar, ...]
    evidence: Evidence | None = None
    compositions: tuple[Composition, ...] = ()

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

    def composition(self, min_iou: float = MIN_IOU, max_q: float = MAX_Q) -> Composition | None:
        """The longest accepted formula whose IoU on held-out images reaches ``min_iou``; ``None`` if there is none."""
        accepted = [one for one in self.compositions if one.is_accepted(max_q) and one.held_out.iou >= min_iou]
        return accepted[-1] if accepted else None

    def description(self, min_iou: float = MIN_IOU, max_q: float = MAX_Q) -> Description | None:
        """What it stands for: its accepted formula, or else its name, proven or not; ``None`` if it has neither."""
        if (composition := self.composition(min_iou, max_q)) is not None:
            return Description(composition.formula, composition.truth, composition.quarters, composition.lit_map)
        if self.best is None or self.best.iou < min_iou:
            return None
        if self.evidence is None:
            return Description(self.best.concept, self.best.truth)
        return Description(self.best.concept, self.best.truth, self.evidence.quarters, self.evidence.lit_map)

    @property
    def unchecked(self) -> Composition | None:
        """The longest formula that was found, whatever held-out images say of it; ``None`` if none was searched for."""
        return self.compositions[-1] if self.compositions else None

    def is_proven(self, min_iou: float = MIN_IOU, max_q: float = MAX_Q) -> bool:
        """Whether the unit has a name, and its ``q`` is at most ``max_q``; not so where no evidence was gathered."""
        return self.name(min_iou) is not None and self.evidence is not None and self.evidence.q <= max_q
