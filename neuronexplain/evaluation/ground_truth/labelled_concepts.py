"""Any concept dataset as ground truth for words: every concept of an image, whether or not a class means it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.model_labels import name_with_labels
from dissection.concepts.wrappers import Subset
from dissection.errors import ConceptDataError

from .matching import match
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.problems import Counter
    from dissection.vocabulary import Concept

    from .truth import Objects

_NO_BOXES = np.zeros((0, 4))


class LabelledConcepts:
    """A concept dataset whose places are concepts by their keys, see :func:`concept_key`.

    Args:
        dataset: the dataset.
        digest: what identifies it.

    Attributes:
        objects: empty: no class need mean a concept.
        dataset: the dataset.
        vocabulary: the keys of all its concepts.
    """

    def __init__(self, dataset: ConceptDataset, digest: str) -> None:
        self.dataset = dataset
        self._digest = digest
        self._keys = {number: concept_key(concept) for number, concept in dataset.concepts.items()}
        self.name = name_with_labels(dataset)
        self.objects: Objects = {}
        self.vocabulary = frozenset(self._keys.values())

    def __len__(self) -> int:
        return len(self.dataset)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph, and the pixels of each concept in it."""
        labels = self.dataset.labels(index)
        masks: dict[str, np.ndarray] = {}
        for number in np.unique(labels.maps).tolist():
            if number in self._keys:
                key, mask = self._keys[number], (labels.maps == number).any(0)
                masks[key] = masks[key] | mask if key in masks else mask
        masks |= {self._keys[number]: np.ones((1, 1), bool) for number in labels.whole if number in self._keys}
        places = {key: ObjectLocation(_NO_BOXES, mask) for key, mask in masks.items()}
        return AnnotatedImage(self.dataset.image_name(index), self.dataset.photograph(index), places)

    def identity(self) -> str:
        """The dataset's digest, and how many of its images are used."""
        return f"{self._digest} {len(self)}"

    def scenes(self, classes: Sequence[str]) -> Mapping[str, int]:
        """The class of each concept of category ``scene`` that a class of a network means, by key."""
        names = {concept.spoken: concept_key(concept) for concept in self._concepts("scene")}
        try:
            matched = match(names, classes)
        except ConceptDataError:  # no scene is a class
            return {}
        return {names[name]: indices[0] for name, indices in matched.items()}

    def _concepts(self, category: str) -> list[Concept]:
        return [concept for concept in self.dataset.concepts.values() if concept.category == category]


def concept_key(concept: Concept) -> str:
    """Identifies a concept across datasets, whose label numbers differ.

    >>> from dissection.vocabulary import Concept
    >>> concept_key(Concept(7, "red-c", "color"))
    'color/red'
    """
    return f"{concept.category}/{concept.spoken}"


def category_of(key: str) -> str:
    """The category of a concept.

    >>> category_of("color/red")
    'color'
    """
    return key.partition("/")[0]


def open_unseen(
    dataset: ConceptDataset, named_with: str, *, limit: int | None = None, progress: Counter | None = None
) -> LabelledConcepts:
    """A concept dataset that names were not found with.

    Args:
        dataset: the dataset.
        named_with: fingerprint of the concept data that named the units.
        limit: use at most this many of its images, evenly spaced.
        progress: called with how many images have been read for the fingerprint.

    Raises:
        ConceptDataError: if it is the same dataset.
    """
    digest = fingerprint(dataset, progress=progress)
    if digest == named_with:
        raise ConceptDataError(
            f"{dataset.name} gave these names, so it cannot tell how true they are; use other concept data"
        )
    return LabelledConcepts(dataset if limit is None or limit >= len(dataset) else Subset(dataset, limit), digest)
