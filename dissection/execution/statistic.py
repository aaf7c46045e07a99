"""What is learnt from a stream, piece by piece: the same wherever it was interrupted and whoever saw which part.

Every statistic takes memory that does not grow with the stream, turns into arrays and back (for a checkpoint), and adds
up over ranks. A :class:`Bundle` is a statistic made of several, each under a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from .ranks import Ranks

Array = TypeVar("Array")


class Statistic(Protocol):
    """Something learnt from a stream."""

    def add(self, *observed: Any, **named: Any) -> object:  # noqa: ANN401 -- each statistic says what it observes
        """Take in the next piece of the stream."""

    def pool(self, ranks: Ranks, /) -> None:
        """Take in what all ranks have learnt; every rank must call it."""

    def state(self) -> Mapping[str, np.ndarray]:
        """All that was learnt, as arrays."""

    def restore(self, state: Mapping[str, np.ndarray], /) -> None:
        """Become what a state was taken from."""


Part = TypeVar("Part", bound=Statistic)


class ArrayStatistic:
    """The state of a statistic that is nothing but arrays; its class names them.

    Attributes:
        ARRAYS: the attributes; ``_counts`` is called ``counts`` in a state.
    """

    ARRAYS: ClassVar[tuple[str, ...]]

    def state(self) -> dict[str, np.ndarray]:
        """All that was learnt, as arrays, which are not copied."""
        return {name.removeprefix("_"): getattr(self, name) for name in self.ARRAYS}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Become what a state was taken from."""
        for name in self.ARRAYS:
            setattr(self, name, state[name.removeprefix("_")].copy())


class Bundle(Generic[Part]):
    """Several statistics as one: a state holds the arrays of each as ``name.array``."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = parts

    def pool(self, ranks: Ranks) -> None:
        """Pool each, in order; every rank must call it."""
        for part in self.parts.values():
            part.pool(ranks)

    def state(self) -> dict[str, np.ndarray]:
        """The states of all, under their names."""
        return nested({name: part.state() for name, part in self.parts.items()})

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Give each its part of a state."""
        for name, part in self.parts.items():
            part.restore(unnested(state, name))


def nested(groups: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """One flat mapping of several, each under its name.

    >>> nested({"a": {"x": 1, "y": 2}, "b": {"x": 3}})
    {'a.x': 1, 'a.y': 2, 'b.x': 3}
    """
    return {f"{group}.{name}": array for group, arrays in groups.items() for name, array in arrays.items()}


def unnested(flat: Mapping[str, Array], group: str) -> dict[str, Array]:
    """One of the mappings that :func:`nested` was given.

    >>> unnested({"a.x": 1, "a.y": 2, "b.x": 3}, "a")
    {'x': 1, 'y': 2}
    """
    start = f"{group}."
    return {name.removeprefix(start): array for name, array in flat.items() if name.startswith(start)}
