"""The two designs: which images become questions, and what is asked about them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from neuronexplain.evaluation.framing import Framing

from .errors import StudyError
from .questions import SENTENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Objects
    from neuronexplain.methods import Method

    from .questions import StudyKind
    from .stimuli import Subject

_WORDNET_ID = re.compile(r"n\d{8}")

Counted = Literal["annotated", "known"]
"""Which categories of an image count: all that are annotated, or those that the network has a class for."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question before it has names and files.

    Attributes:
        visualisation: ``sentence``, or the name of a method.
        explained: the category that is explained.
        labels: the two categories to choose from, or the one class that both networks predict.
        shown: the explanation, or one of each network: pictures or words.
    """

    visualisation: str
    explained: str
    labels: tuple[str, ...]
    shown: tuple[Image.Image | str, ...]


@dataclass(frozen=True, eq=False)
class Design(ABC):
    """What a study asks about an image.

    Attributes:
        kind: what raters are asked.
        subjects: the networks whose explanations are shown.
    """

    kind: ClassVar[StudyKind]
    subjects: tuple[Subject, ...]

    @property
    def methods(self) -> Sequence[Method]:
        """The methods that are shown as pictures."""
        return self.subjects[0].methods

    @property
    @abstractmethod
    def settings(self) -> dict[str, object]:
        """What else decides which images are asked about, as JSON values."""

    @property
    @abstractmethod
    def condition(self) -> str:
        """What an image must be to be asked about, for a message: "images ..."."""

    @abstractmethod
    def drafts(self, annotated: AnnotatedImage) -> list[Draft]:
        """The questions about an image; none if it does not qualify."""


@dataclass(frozen=True, eq=False)
class Discrimination(Design):
    """Sec. 5.1: of an image with exactly two annotated categories, each is explained; which is it?

    Attributes:
        objects: the network's classes that mean each category.
        counted: which categories must be exactly two.
    """

    kind = "discrimination"
    objects: Objects
    counted: Counted = "annotated"

    @property
    def settings(self) -> dict[str, object]:
        """Which categories count."""
        return {"counted": self.counted}

    @property
    def condition(self) -> str:
        """Two categories, both visible."""
        which = "annotated categories" if self.counted == "annotated" else "categories that the network knows"
        return f"with exactly two {which}, both of which the network has a class for and sees"

    def drafts(self, annotated: AnnotatedImage) -> list[Draft]:
        """For each of two categories, and each way of showing an explanation, which of the two it is."""
        (subject,) = self.subjects
        names = self._categories(annotated)
        if not names:
            return []
        photograph = annotated.photograph
        probability = subject.probabilities(annotated.name, photograph)
        classes = [max(self.objects[name], key=lambda index: float(probability[index])) for name in names]
        labels = tuple(_word(name, subject, index) for name, index in zip(names, classes, strict=True))
        return [
            Draft(visualisation, label, labels, (shown,))
            for visualisation, shown_of_labels in _shown(subject, annotated.name, photograph, classes)
            for label, shown in zip(labels, shown_of_labels, strict=True)
        ]

    def _categories(self, annotated: AnnotatedImage) -> tuple[str, ...]:
        """The two categories, in the order of the alphabet; none if the image does not have exactly two."""
        if self.counted == "annotated" and len(annotated.categories) != 2:
            return ()
        (subject,) = self.subjects
        view = Framing.of(subject.network.preprocessing, "centre")
        seen = [name for name, place in annotated.places.items() if view.truth(place, annotated.photograph)]
        return tuple(sorted(seen)) if len(seen) == len(annotated.places) == 2 else ()


@dataclass(frozen=True, eq=False)
class Trust(Design):
    """Sec. 5.2: both networks predict a category that is in the image; which of them is more reliable?

    Attributes:
        objects: for each network, its classes that mean each category.

    Raises:
        StudyError: if the neurons of only one network have names.
    """

    kind = "trust"
    objects: tuple[Objects, ...]

    def __post_init__(self) -> None:
        if len({subject.explainer is None for subject in self.subjects}) > 1:
            raise StudyError(
                "sentences of only one network cannot be compared; name the other network's neurons, too (--db-2), or "
                "neither's"
            )

    @property
    def settings(self) -> dict[str, object]:
        """Nothing else decides."""
        return {}

    @property
    def condition(self) -> str:
        """The same right prediction."""
        return "of which both networks predict the same annotated category"

    def drafts(self, annotated: AnnotatedImage) -> list[Draft]:
        """For each way of showing explanations, which network's is better."""
        classes = [
            int(subject.probabilities(annotated.name, annotated.photograph).argmax()) for subject in self.subjects
        ]
        name = next(
            (
                name
                for name in annotated.places
                if all(index in objects.get(name, ()) for index, objects in zip(classes, self.objects, strict=True))
            ),
            None,
        )
        if name is None:
            return []
        label = _word(name, self.subjects[0], classes[0])
        shown = [
            _shown(subject, annotated.name, annotated.photograph, [index])
            for subject, index in zip(self.subjects, classes, strict=True)
        ]
        return [
            Draft(visualisation, label, (label,), (first, second))
            for (visualisation, (first,)), (_, (second,)) in zip(*shown, strict=True)
        ]


def _word(name: str, subject: Subject, index: int) -> str:
    """A category in words: ILSVRC's are WordNet ids, and its classes say what they mean."""
    return subject.network.classes[index] if _WORDNET_ID.fullmatch(name) else name


def _shown(
    subject: Subject, name: str, photograph: Image.Image, classes: Sequence[int]
) -> Iterator[tuple[str, Sequence[Image.Image | str]]]:
    """Each way of showing explanations, with what it shows of each class."""
    for method in subject.methods:
        yield method.name, subject.pictures(method, name, photograph, classes)
    if sentences := subject.sentences(name, photograph, classes):
        yield SENTENCE, sentences
