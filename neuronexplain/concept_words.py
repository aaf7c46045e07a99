"""Finds the concept of a dataset that a person typed."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from dissection.concepts.synonyms import synonyms_of
from dissection.errors import ConceptDataError

from .classes import normal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Concept

_SUGGESTIONS = 5


def find_concept(dataset: ConceptDataset, typed: str, *, category: str | None = None) -> Concept:
    """The concept with a name, a synonym or a label number; case, underscores and hyphens do not matter.

    Raises:
        ConceptDataError: if no concept matches (similar ones are suggested), several do, or there is no such category.
    """
    candidates = concepts_in(dataset, category)
    query = normal(typed)
    matches = [concept for concept in candidates if query in {normal(concept.name), normal(concept.spoken)}]
    matches = matches or [concept for concept in candidates if query in map(normal, other_words(dataset, concept))]
    matches = matches or [concept for concept in candidates if query == str(concept.number)]
    if not matches:
        raise ConceptDataError(f"{dataset.name} has no concept {typed!r}; {_suggest(dataset, candidates, query)}")
    if len(matches) > 1:
        listed = ", ".join(f"{concept.number} ({concept.spoken}, {concept.category})" for concept in matches)
        raise ConceptDataError(f"{typed!r} names several concepts of {dataset.name}: {listed}; give the number of one")
    return matches[0]


def concepts_in(dataset: ConceptDataset, category: str | None) -> list[Concept]:
    """The concepts of a category, or of all.

    Raises:
        ConceptDataError: if there is no such category.
    """
    if category is None:
        return list(dataset.concepts.values())
    concepts = [concept for concept in dataset.concepts.values() if normal(concept.category) == normal(category)]
    if not concepts:
        known = ", ".join(dataset.categories)
        raise ConceptDataError(f"{dataset.name} has no concepts of category {category!r}; choose one of {known}")
    return concepts


def other_words(dataset: ConceptDataset, concept: Concept) -> tuple[str, ...]:
    """The synonyms of a concept, without its name."""
    synonyms = synonyms_of(dataset).get(concept.number, ())
    return tuple(word for word in synonyms if normal(word) not in {normal(concept.name), normal(concept.spoken)})


def _suggest(dataset: ConceptDataset, concepts: Iterable[Concept], query: str) -> str:
    names: dict[str, str] = {}
    for concept in concepts:
        for word in (concept.name, concept.spoken, *other_words(dataset, concept)):
            names.setdefault(normal(word), concept.spoken)
    similar = list(dict.fromkeys(names[name] for name in get_close_matches(query, names, _SUGGESTIONS)))
    similar = similar or [spoken for name, spoken in names.items() if query and query in name][:_SUGGESTIONS]
    if similar:
        return f"similar ones are {', '.join(similar)}: choose one"
    spoken = list(dict.fromkeys(names.values()))
    return f"choose one of its {len(spoken)}, such as {', '.join(spoken[:_SUGGESTIONS])}"
