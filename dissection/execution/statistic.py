"""Statistics of a stream, piece by piece: the same wherever they are interrupted, and whichever rank sees which part.

The memory of a statistic does not grow with the stream. A statistic turns into arrays and back (for a checkpoint), and
adds up over ranks. A :class:`Bundle` is a statistic made of several, each under a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from .ranks import Ranks

Array = TypeVar("Array")


class Statistic(Protocol):
    """A statistic of a stream."""

    def add(self, *observed: Any, **named: Any) -> object:  # noqa: ANN401 -- each statistic says what it observes
        """Add the next piece of the stream."""

    def pool(self, ranks: Ranks, /) -> None:
        """Combine the statistics of all ranks; every rank must call it."""

    def state(self) -> Mapping[str, np.ndarray]:
        """The statistic as arrays."""
        ...

    def restore(self, state: Mapping[str, np.ndarray], /) -> None:
        """Take over a state."""


Part = TypeVar("Part", bound=Statistic)


class ArrayStatistic:
    """A statistic that consists of arrays, which its class names.

    Attributes:
        ARRAYS: names of the attributes; ``_counts`` is called ``counts`` in a state.
    """

    ARRAYS: ClassVar[tuple[str, ...]]

    def state(self) -> dict[str, np.ndarray]:
        """The arrays, which are not copied."""
        return {name.removeprefix("_"): getattr(self, name) for name in self.ARRAYS}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a state."""
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
        """Restore each from its part of a state."""
        for name, part in self.parts.items():
            part.restore(unnested(state, name))


def nested(groups: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Several named mappings as one flat mapping.

    >>> nested({"a": {"x": 1, "y": 2}, "b": {"x": 3}})
    {'a.x': 1, 'a.y': 2, 'b.x': 3}
    """
    return {f"{group}.{name}": array for group, arrays in groups.items() for name, array in arrays.items()}


def unnested(flat: Mapping[str, Array], group: str) -> dict[str, Array]:
    """One of the mappings that :func:`nested` flattened.

    >>> unnested({"a.x": 1, "a.y": 2, "b.x": 3}, "a")
    {'x': 1, 'y': 2}
    """
    start = f"{group}."
    return {name.removeprefix(start): array for name, array in flat.items() if name.startswith(start)}
