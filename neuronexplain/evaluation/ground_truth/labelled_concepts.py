"""Any concept dataset as ground truth for words: every concept of an image, whether or not a class means it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.model_labels import name_with_labels
from dissection.concepts.wrappers import Subset
from dissection.errors import ConceptDataError
from dissection.vocabulary import Formula

from .matching import match
from .truth import AnnotatedImage, ObjectLocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.problems import Counter
    from dissection.vocabulary import Concept, Meaning

    from .truth import Objects

_NO_BOXES = np.zeros((0, 4))
_NOWHERE = np.zeros((1, 1), bool)


class LabelledConcepts:
    """A concept dataset whose places are concepts, and formulas of them, by their keys, see :func:`concept_key`.

    Args:
        dataset: the dataset.
        digest: what identifies it.
        formulas: formulas that are looked for too; those with a concept that the dataset lacks are not.

    Attributes:
        objects: empty: no class need mean a concept.
        dataset: the dataset.
        vocabulary: the keys of all its concepts, and of the formulas.
    """

    def __init__(self, dataset: ConceptDataset, digest: str, formulas: Iterable[Formula] = ()) -> None:
        self.dataset = dataset
        self._digest = digest
        self._keys = {number: concept_key(concept) for number, concept in dataset.concepts.items()}
        self.name = name_with_labels(dataset)
        self.objects: Objects = {}
        concepts = frozenset(self._keys.values())
        self._formulas = {
            concept_key(formula): formula
            for formula in formulas
            if concepts.issuperset(map(concept_key, formula.concepts))
        }
        self.vocabulary = concepts.union(self._formulas)

    def __len__(self) -> int:
        return len(self.dataset)

    def annotated(self, index: int) -> AnnotatedImage:
        """A photograph, the pixels of each concept and formula in it, and the categories that it is labelled in.

        Among these are the joint categories of formulas, see :func:`category_of`, where it is labelled in all of them.
        """
        labels = self.dataset.labels(index)
        masks: dict[str, np.ndarray] = {}
        for number in np.unique(labels.maps).tolist():
            if number in self._keys:
                key, mask = self._keys[number], (labels.maps == number).any(0)
                masks[key] = masks[key] | mask if key in masks else mask
        masks |= {self._keys[number]: np.ones((1, 1), bool) for number in labels.whole if number in self._keys}
        labelled = set(map(category_of, masks))
        of_formulas: dict[str, np.ndarray] = {}
        for key, formula in self._formulas.items():
            if labelled.issuperset(concept.category for concept in formula.concepts):
                labelled.add(category_of(key))
                mask = formula.holds(lambda concept: masks.get(concept_key(concept), _NOWHERE))
                of_formulas |= {key: mask} if mask.any() else {}
        return AnnotatedImage(
            self.dataset.image_name(index),
            self.dataset.photograph(index),
            {key: ObjectLocation(_NO_BOXES, mask) for key, mask in (masks | of_formulas).items()},
            categories=frozenset(labelled),
        )

    def with_meanings(self, meanings: Iterable[Meaning]) -> LabelledConcepts:
        """The same, which also tells where the formulas among these hold."""
        return LabelledConcepts(
            self.dataset, self._digest, [meaning for meaning in meanings if isinstance(meaning, Formula)]
        )

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


def concept_key(meaning: Meaning) -> str:
    """Identifies a concept, or a formula, across datasets, whose label numbers differ.

    >>> from dissection.vocabulary import Concept, Formula
    >>> red, car = Concept(7, "red-c", "color"), Concept(8, "car", "object")
    >>> concept_key(red), concept_key(Formula(car, (("and not", red),)))
    ('color/red', 'color and object/car but not red')
    """
    return f"{meaning.category}/{meaning.spoken}"


def category_of(key: str) -> str:
    """The category of a concept, or the categories of a formula.

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
        limit: use at most this many of its images, spread evenly.
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
