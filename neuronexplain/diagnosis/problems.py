"""Something that is wrong with an installation or a database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong.

    Attributes:
        what: what was found.
        remedy: what to do.
    """

    what: str
    remedy: str
