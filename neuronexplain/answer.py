"""The answer to "why did the network predict this?", as immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dissection.vocabulary import spoken_list

from .sentence import say, say_contrast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy as np
    from jaxtyping import Float32
    from PIL import Image

    from dissection.vocabulary import Concept, Exemplar, Layer, UnitNoun

    from .methods import Method
    from .vocabulary import LeftOver, RankedUnit, Rules, Score


@dataclass(frozen=True, slots=True, eq=False)
class MethodMap:
    """Another method's map for the same target.

    Attributes:
        method: the method.
        values: its map at the network's input size; for a method of kind ``pixels``, one for each colour.
    """

    method: Method
    values: Float32[np.ndarray, "layers h w"]


@dataclass(frozen=True, slots=True)
class ExemplarPicture:
    """A small picture of one of the concept images that excite a unit most.

    Attributes:
        image: the image's name in the concept data.
        activation: the unit's greatest activation on it.
        jpeg: the picture, as a JPEG file.
        x: the most active place, as a share of the picture's width from the left.
        y: the same from the top.
        concepts: what is labelled at that place; empty where nothing is, or the run does not say.
    """

    image: str
    activation: float
    jpeg: bytes
    x: float
    y: float
    concepts: tuple[Concept, ...] = ()

    @classmethod
    def of(cls, exemplar: Exemplar, jpeg: bytes, layer: Layer) -> Self:
        """The picture of an exemplar of a unit of ``layer``."""
        x, y = (exemplar.column + 0.5) / layer.width, (exemplar.row + 0.5) / layer.height
        return cls(exemplar.image, exemplar.activation, jpeg, x, y, exemplar.concepts)

    @property
    def shows(self) -> str:
        """What is labelled there, as people say it."""
        return spoken_list(self.concepts)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One image, one target, and the units that speak most for and against it.

    Attributes:
        image: where the photograph came from.
        prediction: the class the network finds most probable.
        target: the class that is explained.
        top: the units that speak most for the target (*persuasive*), strongest first.
        bottom: the units that speak most against it (*inhibitive*), strongest first.
        rules: which units were ranked, and what may be said of them.
        passed_over: units that would have been in ``top`` or ``bottom`` had all units been ranked.
        has_evidence: whether evidence is kept for the names: how likely they are by chance, and how often true.
        loss: what the target's score loses where the maps of the units that are said to speak for it are set to 0;
            ``None`` where none is said to.
        constant_alpha: whether alphas are the same for every image.
        photograph: the part of the photograph that the network saw, at the photograph's resolution, reduced if its
            longest side is over 1,024 pixels.
        heatmap: Eq. 2, upsampled to the network's input size; not normalised, nowhere negative.
        masks: for each spoken concept in ``top`` and ``bottom``, how strongly its units respond at each pixel: the
            strongest of their maps, each divided by its threshold, at the network's input size. A unit is lit
            above 1.
        others: other methods' maps for the target, in the order requested.
        classes: the classes the network finds most probable, at most five, the most probable first.
        true_class: the class that the photograph is known to show; ``None`` where that is not known.
        question: what the network was asked; empty where it is a classifier.
        exemplars: of the units above, pictures of the concept images that excite them most, strongest first.
        labels: which model labelled the concept images, and whether that was checked; empty if people labelled them.
        noun: what readers call a unit: a neuron, or a feature of a dictionary.
        left_over: where units are features, what the target's score owes to the rest of the layer's map.
    """

    image: str
    prediction: Score
    target: Score
    top: tuple[RankedUnit, ...]
    bottom: tuple[RankedUnit, ...]
    rules: Rules
    passed_over: tuple[RankedUnit, ...]
    has_evidence: bool
    loss: float | None
    constant_alpha: bool
    photograph: Image.Image
    heatmap: Float32[np.ndarray, "h w"]
    masks: Mapping[str, Float32[np.ndarray, "h w"]]
    others: tuple[MethodMap, ...] = ()
    classes: tuple[Score, ...] = ()
    true_class: Score | None = None
    question: str = ""
    exemplars: Mapping[int, tuple[ExemplarPicture, ...]] = field(default_factory=dict)
    labels: str = ""
    noun: UnitNoun = "neuron"
    left_over: LeftOver | None = None

    @property
    def sentence(self) -> str:
        """The answer in plain English."""
        return say(self)


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """What makes the network give one class a greater score than another for one image.

    The difference of the two scores is explained as one score is: an alpha, an effect and a contribution here are those
    to the first class's score less those to the second's.

    Attributes:
        rather: the first class.
        than: the second class.
        top: the units that speak most for the first class rather than the second, strongest first.
        bottom: those that speak most for the second rather than the first.
        rules: which units were ranked, and what may be said of them.
        loss: what the lead of the first class over the second loses where the maps of the units that are said to speak
            for it are set to 0; ``None`` where none is said to.
        gain: what of that the second class gains; the rest is what the first loses.
        passed_over: units that would have been in ``top`` or ``bottom`` had all units been ranked.
        responding: every unit that may be said to respond, whichever class it speaks for, by number.
        masks: where the units that are said to speak for it respond, by name, as ``masks`` of an answer.
        noun: what readers call a unit.
    """

    rather: Score
    than: Score
    top: tuple[RankedUnit, ...]
    bottom: tuple[RankedUnit, ...]
    rules: Rules
    loss: float | None
    gain: float | None = None
    passed_over: tuple[RankedUnit, ...] = ()
    responding: tuple[RankedUnit, ...] = ()
    masks: Mapping[str, Float32[np.ndarray, "h w"]] = field(default_factory=dict)
    noun: UnitNoun = "neuron"

    @property
    def lead(self) -> float:
        """By how much the score of the first class exceeds that of the second."""
        return self.rather.logit - self.than.logit

    @property
    def sentence(self) -> str:
        """The contrast in plain English."""
        return say_contrast(self)


@dataclass(frozen=True, slots=True, eq=False)
class AnswerPair:
    """One image and two targets: an answer for each, and what speaks for each rather than the other."""

    answers: tuple[Answer, Answer]
    contrasts: tuple[Contrast, Contrast]

    @property
    def image(self) -> str:
        """Where the photograph came from."""
        return self.answers[0].image
