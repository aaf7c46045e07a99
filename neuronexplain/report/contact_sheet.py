"""A contact sheet of a concept dataset: a few pictures of each concept, chosen and drawn."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.model_labels import name_with_labels
from dissection.execution.threads import in_threads
from neuronexplain.concept_words import concepts_in, other_words
from neuronexplain.pictures.overlay import concept_picture

from .contact_page import CategorySheet, ConceptCard, Example, Sheet
from .inline_pictures import jpeg, shrunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dissection.concepts.census import Census, Holders
    from dissection.concepts.dataset import ConceptDataset
    from dissection.concepts.problems import Counter

MOST = 1200
"""Most pictures on one page: some 10 MB, which a browser opens at once."""
PICTURE_SIDE = 168


def contact_sheet(
    dataset: ConceptDataset,
    census: Census,
    *,
    category: str | None = None,
    each: int = 4,
    most: int = MOST,
    progress: Counter | None = None,
) -> Sheet:
    """Choose and draw pictures of a dataset's concepts.

    Args:
        dataset: the dataset.
        census: its census.
        category: only concepts of this category.
        each: pictures of each concept; fewer, if they would be more than ``most`` in all.
        most: most pictures on the page; if there are more concepts, those on the fewest images get none.
        progress: called after each photograph.

    Raises:
        ConceptDataError: if there is no such category, or a photograph cannot be read.
    """
    concepts = sorted(
        concepts_in(dataset, category),
        key=lambda concept: (-len(census.holders[concept.number].images), concept.number),
    )
    pictured = [concept for concept in concepts if len(census.holders[concept.number].images)][:most]
    count = max(1, min(each, most // max(len(pictured), 1)))
    chosen = {concept.number: _choose(census.holders[concept.number], count) for concept in pictured}
    examples = _draw(dataset, chosen, progress)
    cards = defaultdict(list)
    for concept in concepts:
        support = census.support(concept)
        share = support.pixels / census.pixels
        card = ConceptCard(
            concept.spoken,
            concept.number,
            other_words(dataset, concept),
            support.images,
            share,
            tuple(examples[concept.number]),
        )
        cards[concept.category].append(card)
    sections = (CategorySheet(name, tuple(cards[name])) for name in dataset.categories if name in cards)
    return Sheet(name_with_labels(dataset), census.images, each, count, tuple(sections))


def _choose(holders: Holders, count: int) -> list[tuple[int, float]]:
    """Images and shares, evenly spaced from the image that shows most of the concept to the median one."""
    half = (len(holders.images) + 1) // 2
    ranks = sorted({round(place) for place in np.linspace(0, max(half, min(count, len(holders.images))) - 1, count)})
    return [(int(holders.images[rank]), float(holders.shares[rank])) for rank in ranks]


def _draw(
    dataset: ConceptDataset, chosen: Mapping[int, Sequence[tuple[int, float]]], progress: Counter | None
) -> Mapping[int, list[Example]]:
    """Examples by label number, in the order of ``chosen``; each photograph is read once."""
    numbers_of: dict[int, list[int]] = defaultdict(list)
    for number, images in chosen.items():
        for image, _ in images:
            numbers_of[image].append(number)
    jpeg_of: dict[tuple[int, int], bytes] = {}
    pictures = in_threads(lambda image: _pictures(dataset, image, numbers_of[image]), list(numbers_of))
    for done, (image, jpegs) in enumerate(zip(numbers_of, pictures, strict=True), 1):
        jpeg_of |= {(number, image): picture for number, picture in jpegs.items()}
        if progress is not None:
            progress(done, len(numbers_of))
    examples: dict[int, list[Example]] = defaultdict(list)
    for number, images in chosen.items():
        examples[number] = [
            Example(dataset.image_name(image), share, jpeg_of[number, image]) for image, share in images
        ]
    return examples


def _pictures(dataset: ConceptDataset, image: int, numbers: Iterable[int]) -> dict[int, bytes]:
    """The photograph, as a JPEG for each concept, darkened except for the concept's pixels."""
    photograph, labels = shrunk(dataset.photograph(image), PICTURE_SIDE), dataset.labels(image)
    return {
        number: jpeg(
            photograph
            if number in labels.whole
            else concept_picture(photograph, 2 * (labels.maps == number).any(0).astype(np.float32))
        )
        for number in numbers
    }
