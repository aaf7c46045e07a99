"""Finds the concept of a dataset that a person means by what they typed."""

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

_NEAR = 5


def find_concept(dataset: ConceptDataset, typed: str, *, category: str | None = None) -> Concept:
    """The concept of a name, a synonym or a label number; case, underscores and hyphens do not matter.

    Raises:
        ConceptDataError: if no concept fits (near ones are offered), several do, or there is no such category.
    """
    among = concepts_in(dataset, category)
    wanted = normal(typed)
    found = [concept for concept in among if wanted in {normal(concept.name), normal(concept.spoken)}]
    found = found or [each for each in among if wanted in map(normal, other_words(dataset, each))]
    found = found or [concept for concept in among if wanted == str(concept.number)]
    if not found:
        raise ConceptDataError(f"{dataset.name} has no concept {typed!r}; {_near(dataset, among, wanted)}")
    if len(found) > 1:
        listed = ", ".join(f"{each.number} ({each.spoken}, {each.category})" for each in found)
        raise ConceptDataError(f"{typed!r} is several concepts of {dataset.name}: {listed}; give the number of one")
    return found[0]


def concepts_in(dataset: ConceptDataset, category: str | None) -> list[Concept]:
    """The concepts of a category, or of all.

    Raises:
        ConceptDataError: if there is no such category.
    """
    if category is None:
        return list(dataset.concepts.values())
    found = [concept for concept in dataset.concepts.values() if normal(concept.category) == normal(category)]
    if not found:
        known = ", ".join(dataset.categories)
        raise ConceptDataError(f"{dataset.name} has no concepts of category {category!r}; its categories are {known}")
    return found


def other_words(dataset: ConceptDataset, concept: Concept) -> tuple[str, ...]:
    """Synonyms of a concept that are not its name again."""
    synonyms = synonyms_of(dataset).get(concept.number, ())
    return tuple(word for word in synonyms if normal(word) not in {normal(concept.name), normal(concept.spoken)})


def _near(dataset: ConceptDataset, among: Iterable[Concept], wanted: str) -> str:
    names: dict[str, str] = {}
    for concept in among:
        for word in (concept.name, concept.spoken, *other_words(dataset, concept)):
            names.setdefault(normal(word), concept.spoken)
    near = list(dict.fromkeys(names[name] for name in get_close_matches(wanted, names, _NEAR)))
    near = near or [spoken for name, spoken in names.items() if wanted and wanted in name][:_NEAR]
    if near:
        return f"near ones are {', '.join(near)}"
    spoken = list(dict.fromkeys(names.values()))
    return f"it has {len(spoken)}, such as {', '.join(spoken[:_NEAR])}"
