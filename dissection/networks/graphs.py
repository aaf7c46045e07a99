"""Walks through a network's data flow, or autograd's."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Node = TypeVar("Node", bound=Hashable)


def reached(starts: Iterable[Node], step: Callable[[Node], Iterable[Node]]) -> set[Node]:
    """The starts, and all that steps from them lead to.

    >>> sorted(reached([6], lambda number: [number // 2, number // 3]))
    [0, 1, 2, 3, 6]
    """
    seen = set(starts)
    pending = list(seen)
    while pending:
        further = set(step(pending.pop())) - seen
        seen |= further
        pending.extend(further)
    return seen
