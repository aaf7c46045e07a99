"""The nouns of network dissection, as frozen values. Nothing here needs torch.

Unit
    one channel of a layer, counted from 0, or one feature of a dictionary; users read "neuron" or "feature" for it.
Concept
    something a person can point at in an image: a name and a category.
Name
    the concept that a unit's strongest activations overlap best, if that overlap is large enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .html_tables import html_table
from .plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from jaxtyping import Int32

MIN_IOU = 0.05
"""A unit is named if its best IoU reaches this (Grad-CAM paper, Sec. 7, footnote 7)."""

MAX_Q = 0.05
"""A name is proven if the rate of false names among those as sure is at most this."""

QUANTILE = 0.005
"""Share of a unit's activations that count as strong (Bau et al. 2017, Sec. 2.2)."""

MIN_IMAGES = 10
"""A concept in fewer images than this cannot become a name: rare concepts win by chance."""

DRAWS = 199
"""Permutations behind the evidence for a name."""

MOST_SAMPLED = 8192
"""Images in the sample of that evidence: fewer than there are make the null conservative, and bound time and memory."""

INTERVAL = (0.025, 0.975)
"""Quantiles of resamples between which an interval lies."""

RUNNER_UP = 0.1
"""Share of resamples that a runner-up must win to be told."""

QUARTERS = 4
"""Parts into which the images that light a unit are cut by its response."""

KEPT_OVERLAPS = 10
"""Concepts kept for each unit, besides the best of each category."""

LONGEST_FORMULA = 3
"""Concepts of the longest formula that a unit may be named by."""

THIN_EVIDENCE = 10
"""A mean over fewer images of a class than this is reported as thin evidence."""


UPSAMPLING = "bilinear, half-pixel centres, float64"
"""How maps are upsampled to the size of label maps: part of a run's key."""

RECTIFIERS = ("relu", "relu6")
"""The functions that a layer's rectifier may be."""

_ROWS = 100
"""Rows of a table that a notebook shows."""

DICTIONARY_AT = "dictionary at "
"""What the name of a layer begins with whose units are the features of a dictionary; the layer that they are made of
follows."""

UnitNoun = Literal["neuron", "feature"]
"""What readers call a unit."""

CommonNoun = Literal["neuron", "feature", "unit"]
"""What readers call a unit of several layers: if some are neurons and some features, a unit."""

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

    @property
    def noun(self) -> UnitNoun:
        """What readers call its units: neurons, or the features of a dictionary."""
        return "feature" if self.name.startswith(DICTIONARY_AT) else "neuron"

    @property
    def module(self) -> str:
        """The name of the network's own layer, whether or not a dictionary takes it apart."""
        return self.name.removeprefix(DICTIONARY_AT)


def common_noun(layers: Iterable[Layer]) -> CommonNoun:
    """What readers call a unit of any of these layers."""
    nouns: set[CommonNoun] = {layer.noun for layer in layers}
    return nouns.pop() if len(nouns) == 1 else "unit"


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


Operator = Literal["or", "and", "and not"]
"""What joins a concept to a formula."""

OPERATORS: tuple[Operator, ...] = ("or", "and", "and not")


def operator_of(text: str) -> Operator:
    """The operator that a text is.

    Raises:
        ValueError: if it is none.
    """
    return OPERATORS[OPERATORS.index(text)]


@dataclass(frozen=True, slots=True)
class Formula:
    """Pixels that two concepts or more describe: each step joins a concept to all that stands before it.

    It speaks of those images only that are labelled in the categories of all its concepts.

    Attributes:
        first: the first concept.
        steps: the operators and the concepts that they join to it, in order.
    """

    first: Concept
    steps: tuple[tuple[Operator, Concept], ...]

    @property
    def length(self) -> int:
        """How many concepts it has."""
        return 1 + len(self.steps)

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Its concepts, in order."""
        return self.first, *(concept for _, concept in self.steps)

    @property
    def spoken(self) -> str:
        """As people say it.

        >>> wheel, car, bus = (Concept(n, name, "object") for n, name in enumerate(("wheel", "car", "bus"), 1))
        >>> Formula(wheel, (("and not", car),)).spoken
        'wheel but not car'
        >>> Formula(wheel, (("and not", car), ("and not", bus))).spoken
        'wheel but not car or bus'
        >>> Formula(wheel, (("or", car), ("or", bus))).spoken
        'wheel, car or bus'
        >>> Formula(wheel, (("or", car), ("and", bus))).spoken
        'wheel or car, and bus'
        """
        operators = [operator for operator, _ in self.steps]
        names = [concept.spoken for concept in self.concepts]
        if len(operators) > 1 and len(set(operators)) == 1:
            if operators[0] == "and not":
                return f"{names[0]} but not {', '.join(names[1:-1])} or {names[-1]}"
            return f"{', '.join(names[:-1])} {operators[0]} {names[-1]}"
        words = [f"{_JOINED[operator]} {name}" for operator, name in zip(operators, names[1:], strict=True)]
        return f"{names[0]} {', '.join(words)}"


_JOINED: dict[str, str] = {"or": "or", "and": "and", "and not": "but not"}


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
class FormulaAreas:
    """How a unit's mask and a formula overlap on some images: those of them that are labelled in its categories.

    Attributes:
        intersection: ``I``, pixels of the mask at which the formula holds.
        unit_area: ``A``, pixels of the mask.
        formula_area: ``G``, pixels at which the formula holds.
    """

    intersection: int
    unit_area: int
    formula_area: int

    @property
    def iou(self) -> float:
        """Intersection over union; 0 if the union is empty."""
        union = self.unit_area + self.formula_area - self.intersection
        return self.intersection / union if union else 0.0


@dataclass(frozen=True, slots=True)
class Composition:
    """The formula of one length that describes a unit best on half of the images, and what the other half says of it.

    Attributes:
        formula: the formula.
        searched: its areas on the half in which it was searched for.
        held_out: its areas on the other half.
        gain: 95 % interval of its IoU on the other half, less that of the best shorter formula or concept.
        p: how likely as great an IoU is by chance, for the same search; 1 where its gain is refused before.
        q: the rate of false ones among the layer's formulas whose ``p`` is as small; 1 likewise.
        truth: how often it holds anywhere in an image when the unit responds, and when not.
    """

    formula: Formula
    searched: FormulaAreas
    held_out: FormulaAreas
    gain: tuple[float, float]
    p: float
    q: float
    truth: Truth

    @property
    def images(self) -> int:
        """Images in which it holds anywhere."""
        return self.truth.hit_images + self.truth.missed_images

    def is_accepted(self, max_q: float = MAX_Q) -> bool:
        """Whether it describes the unit better than anything shorter, on images that it was not searched on."""
        return self.gain[0] > 0 and self.q <= max_q


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
class Quarter:
    """A quarter of the images on which a unit is lit, by the strength of its response.

    Attributes:
        least: the weakest peak of the quarter.
        images: how many images are in it.
        hits: how many of them carry the concept of the unit's best overlap.
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

    def truth(self, peak: float, overall: Truth) -> float:
        """The share of images that carry the concept where the unit responds this strongly.

        The quarter's own share, with one image more that counts at the unit's overall precision.

        Args:
            peak: the greatest activation on an image.
            overall: the truth of the best overlap.
        """
        if not self.quarters:
            return overall.precision
        quarter = next((one for one in reversed(self.quarters) if peak >= one.least), self.quarters[0])
        return (quarter.hits + overall.precision) / (quarter.images + 1)


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

    def composition(self, min_iou: float = MIN_IOU) -> Composition | None:
        """The longest accepted formula whose IoU on held-out images reaches ``min_iou``; ``None`` if there is none."""
        accepted = [one for one in self.compositions if one.is_accepted() and one.held_out.iou >= min_iou]
        return accepted[-1] if accepted else None

    @property
    def unchecked(self) -> Composition | None:
        """The longest formula that was found, whatever held-out images say of it; ``None`` if none was searched for."""
        return self.compositions[-1] if self.compositions else None

    def is_proven(self, min_iou: float = MIN_IOU, max_q: float = MAX_Q) -> bool:
        """Whether the unit has a name, and its ``q`` is at most ``max_q``; not so where no evidence was gathered."""
        return self.name(min_iou) is not None and self.evidence is not None and self.evidence.q <= max_q


@dataclass(frozen=True, slots=True)
class ConceptSupport:
    """A concept and how much of it a dataset shows."""

    concept: Concept
    images: int
    pixels: int


@dataclass(frozen=True, slots=True, repr=False)
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
        draws: permutations behind each unit's evidence; 0 where none was gathered.
    """

    layer: Layer
    quantile: float
    min_images: int
    images: int
    pixels: int
    concepts: tuple[ConceptSupport, ...]
    units: tuple[Unit, ...]
    draws: int = 0

    def names(self, min_iou: float = MIN_IOU) -> Mapping[int, UnitName]:
        """Names by unit; a unit without a name is a missing key."""
        return {name.unit: name for name in self._names(min_iou)}

    def __repr__(self) -> str:
        layer = self.layer
        return (
            f"<Dissection of {visible(layer.name)}: {len(self.names())} of {layer.units} units named, "
            f"{self.images} images, {len(self.concepts)} concepts>"
        )

    def _repr_html_(self) -> str:
        """The named units as a table, for notebooks."""
        rows = [
            (name.unit, name.concept.spoken, name.concept.category, name.iou, _share(self.units[name.unit].best))
            for name in sorted(self.names().values(), key=lambda name: -name.iou)
        ]
        layer = self.layer
        return html_table(
            f"Layer {layer.name}: {len(rows)} of {layer.units} units have a name (IoU of at least {MIN_IOU}), over "
            f"{self.images} images with {len(self.concepts)} concepts",
            ("unit", "name", "category", "IoU", "truth"),
            rows[:_ROWS],
            f"and {len(rows) - _ROWS} more, which units_frame lists once they are stored" if len(rows) > _ROWS else "",
        )

    def _names(self, min_iou: float) -> Iterator[UnitName]:
        for unit in self.units:
            name = unit.name(min_iou)
            if name is not None:
                yield name


def spoken_list(concepts: Iterable[Concept]) -> str:
    """The names of concepts as people say them, each once."""
    return ", ".join(dict.fromkeys(concept.spoken for concept in concepts))


def _share(overlap: Overlap | None) -> str | None:
    """Of how many of the images that light a unit its concept is on; ``None`` where that was not counted."""
    truth = overlap.truth if overlap else None
    return None if truth is None else f"{truth.precision:.0%} of {truth.lit_images}"
