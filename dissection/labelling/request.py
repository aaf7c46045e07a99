"""What is asked of a labeller, before it is opened."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- beartype reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .class_words import CATEGORY

if TYPE_CHECKING:
    from dissection.networks.weights import WeightsFile


@dataclass(frozen=True, slots=True)
class LabellerRequest:
    """A model that is to label photographs, and how.

    Attributes:
        model: a torchvision name, ``hf/NAME`` or ``hf/FOLDER``, or a factory.
        words: what to look for: needed where a model takes any words; of other models' words those to keep.
        classes: the labels of the model's classes, where it does not know them.
        masks: ``hf/NAME`` of the model that makes masks of boxes; empty if none is needed.
        weights: a file to load into it.
        min_confidence: pixels of which it is less sure are not labelled; by default what its kind is used with.
        category: of all words.
        device: where it runs.
        preprocessing: what one's own module expects of a photograph, see :meth:`Preprocessing.changed`.
    """

    model: str
    words: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    masks: str = ""
    weights: WeightsFile | None = None
    min_confidence: float | None = None
    category: str = CATEGORY
    device: str = "cpu"
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    def confidence(self, usual: float) -> float:
        """The minimum, if ``usual`` is that of the model's kind."""
        return usual if self.min_confidence is None else self.min_confidence
