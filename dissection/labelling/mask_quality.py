"""How a model's masks agree with true ones.

The model labels the photographs of the true data, which are compared with it pixel by pixel, as a build would count
them: a pixel that nothing is labelled at is not the concept, and an image without a label of a concept's category says
nothing of the concept. So of data in which things were left unlabelled, the figures are too low.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.model_labels import ConceptCheck, LabelCheck
from dissection.concepts.synonyms import read_synonyms, synonyms_of
from dissection.concepts.wrappers import Sized
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jaxtyping import Int32

    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.problems import Counter
    from dissection.vocabulary import Labels

    from .segmenter import Segmenter

SCENE = "scene"
"""A category of whole images, which no mask is compared with."""


class MaskQuality:
    """Counts of pixels of each word that a model and true data share, image by image.

    Args:
        segmenter: the model.
        truth: the true data.

    Raises:
        ConceptDataError: if they share no word.
    """

    def __init__(self, segmenter: Segmenter, truth: ConceptDataset) -> None:
        self._shared = shared_words(segmenter, truth)
        if not self._shared:
            known = ", ".join(concept.name for concept in list(segmenter.words.concepts.values())[:5])
            raise ConceptDataError(
                f"{truth.name} has no word in common with {segmenter.by[0].name} ({known}, ...); give data that has"
            )
        self._truth = truth
        self._names = [segmenter.words.concepts[number].name for number in self._shared]
        self._categories = {concept.number: concept.category for concept in truth.concepts.values()}
        self._counts = np.zeros((len(self._shared), 3), np.int64)
        self._images = 0

    def add(self, predicted: Int32[np.ndarray, "layers h w"], labels: Labels) -> None:
        """Take in one image: the model's labels, and the true ones of the same size."""
        self._images += 1
        present = [number for number in (*np.unique(labels.maps).tolist(), *labels.whole) if number]
        labelled = {self._categories[number] for number in present if number in self._categories}
        for row, (number, numbers) in enumerate(self._shared.items()):
            if not labelled & {self._categories[true] for true in numbers}:
                continue
            mask, truth = (predicted == number).any(0), np.isin(labels.maps, numbers).any(0)
            self._counts[row] += np.count_nonzero(mask & truth), np.count_nonzero(mask), np.count_nonzero(truth)

    def check(self) -> LabelCheck:
        """The agreement so far.

        Raises:
            ConceptDataError: if no image shows a word that both know.
        """
        concepts = tuple(
            _concept_check(name, *counts)
            for name, counts in zip(self._names, self._counts.tolist(), strict=True)
            if any(counts)
        )
        if not concepts:
            raise ConceptDataError(f"{self._truth.name} shows none of the words that the model knows; give other data")
        mean = sum(concept.iou for concept in concepts) / len(concepts)
        ordered = tuple(sorted(concepts, key=lambda concept: concept.name))
        return LabelCheck(self._truth.name, self._images, mean, ordered)


def shared_words(segmenter: Segmenter, truth: ConceptDataset) -> Mapping[int, tuple[int, ...]]:
    """The true label numbers of each of a model's words, by the model's label number; words without one are left out.

    Names agree in lower case, as synonyms of the package's table or of either side do where no name does. A word is
    that of the same category if there is one, else of any but whole scenes.
    """
    table = read_synonyms()

    def key(word: str) -> str:
        return table.get(word.casefold(), word.casefold())

    by_name: dict[str, list[int]] = {}
    by_synonym: dict[str, list[int]] = {}
    for number, concept in truth.concepts.items():
        by_name.setdefault(key(concept.spoken), []).append(number)
        for word in synonyms_of(truth).get(number, ()):
            by_synonym.setdefault(key(word), []).append(number)

    def candidates(number: int) -> Iterator[list[int]]:
        name, others = key(segmenter.words.concepts[number].name), segmenter.words.synonyms.get(number, ())
        yield by_name.get(name, [])
        yield by_synonym.get(name, [])
        yield from (by_name.get(key(word), []) for word in others)

    shared = {}
    for number, concept in segmenter.words.concepts.items():
        of_pixels = (_of_category(numbers, concept.category, truth) for numbers in candidates(number))
        if numbers := next(filter(None, of_pixels), ()):
            shared[number] = numbers
    return shared


def check_masks(
    segmenter: Segmenter, truth: ConceptDataset, *, label_size: int, batch_size: int, progress: Counter | None = None
) -> LabelCheck:
    """Label the photographs of true data and compare.

    Raises:
        ConceptDataError: if the true data break their layout, or share no word with the model.
    """
    truth = Sized(truth, label_size)
    quality = MaskQuality(segmenter, truth)
    for batch in batches(range(len(truth)), batch_size):
        for index, predicted in zip(
            batch, segmenter.label([truth.photograph(index) for index in batch], label_size), strict=True
        ):
            quality.add(predicted, truth.labels(index))
        if progress is not None:
            progress(batch[-1] + 1, len(truth))
    return quality.check()


def batches(indices: range, size: int) -> Iterator[range]:
    """The indices, ``size`` at a time."""
    return (indices[start : start + size] for start in range(0, len(indices), size))


def _of_category(numbers: Iterable[int], category: str, truth: ConceptDataset) -> tuple[int, ...]:
    same = tuple(number for number in numbers if truth.concepts[number].category == category)
    return same or tuple(number for number in numbers if truth.concepts[number].category != SCENE)


def _concept_check(name: str, both: int, predicted: int, true: int) -> ConceptCheck:
    return ConceptCheck(
        name,
        both / (predicted + true - both),
        both / predicted if predicted else None,
        both / true if true else None,
        true,
    )
