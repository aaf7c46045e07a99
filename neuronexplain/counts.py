"""How a number of things is said."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """A number of things, where several are called by adding an s.

    >>> count(1, "name"), count(12, "name")
    ('1 name', '12 names')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
