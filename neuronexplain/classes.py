"""Finds the class that a person typed."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from dissection.errors import ClassNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUGGESTIONS = 5


def find_class(labels: Sequence[str], typed: str) -> int:
    """The index of a class, by its label, a synonym in its label, or its number.

    Case, underscores, hyphens and slashes do not matter; ``great white shark, white shark`` answers to both names.

    Raises:
        ClassNotFoundError: if no class matches (similar ones are suggested) or several do.

    >>> find_class(["great_white_shark, white shark", "tench"], "White Shark")
    0
    >>> find_class(["tench", "goldfish"], "1")
    1
    """
    if not labels:
        raise ClassNotFoundError(f"there is no class {typed!r}, since the network has no classes; leave the class out")
    query = normal(typed)
    exact = [index for index, label in enumerate(labels) if normal(label) == query]
    matches = exact or [index for index, label in enumerate(labels) if query in _synonyms(label)]
    if not matches and typed.strip().isdecimal() and int(typed) < len(labels):
        return int(typed)
    if not matches:
        raise ClassNotFoundError(f"the network has no class {typed!r}; {_suggest(labels, query)}")
    if len(matches) > 1:
        numbers = ", ".join(str(index) for index in matches)
        raise ClassNotFoundError(f"{typed!r} is the label of classes {numbers}; give the number of the one you mean")
    return matches[0]


def normal(text: str) -> str:
    """A label without case, underscores, hyphens, slashes and surplus spaces.

    >>> normal("/b/Beer_Hall")
    'b beer hall'
    """
    return " ".join(re.sub(r"[\s_/\\-]+", " ", text).casefold().split())


def _synonyms(label: str) -> list[str]:
    names = [normal(name) for name in label.split(",")]
    return names + [re.sub(r"^[a-z] ", "", name) for name in names if label.startswith("/")]


def _suggest(labels: Sequence[str], query: str) -> str:
    names = {name: label for label in labels for name in _synonyms(label)}
    similar = list(dict.fromkeys(names[name] for name in get_close_matches(query, names, _SUGGESTIONS)))
    similar = similar or [label for label in labels if query and query in normal(label)][:_SUGGESTIONS]
    if similar:
        return f"similar ones are {', '.join(similar)}: choose one"
    return f"choose one of its {len(labels)}, such as {', '.join(labels[:_SUGGESTIONS])}"
