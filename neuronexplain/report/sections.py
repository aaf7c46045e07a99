"""What a page shows besides explanations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.vocabulary import THIN_EVIDENCE

if TYPE_CHECKING:
    from dissection.vocabulary import UnitName
    from neuronexplain.answer import ExemplarPicture


@dataclass(frozen=True, slots=True)
class ConceptRow:
    """What the neurons of one name together mean for a class.

    Attributes:
        concept: the name as it is spoken.
        category: its category.
        units: how many units have the name.
        lit: what their lit cells contribute to the class above what they contribute to the average class.
        interval: its 95 % interval; ``None`` if it is not known.
    """

    concept: str
    category: str
    units: int
    lit: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ClassSection:
    """The concepts that matter for one class, and the number of images that the means are taken over."""

    label: str
    images: int
    rows: tuple[ConceptRow, ...]

    @property
    def thin(self) -> bool:
        """Whether the evidence is too thin to rely on."""
        return self.images < THIN_EVIDENCE


@dataclass(frozen=True, slots=True)
class NeuronCard:
    """A named neuron and pictures of the images that excite it most, strongest first."""

    name: UnitName
    exemplars: tuple[ExemplarPicture, ...]
