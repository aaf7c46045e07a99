"""A figure before and after, and whether more than noise changed it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from neuronexplain.metrics.intervals import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTHING = Figure(0.0, 0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure of the first run and of the second; ``None`` is nothing, which is exactly 0.

    Attributes:
        before: the first run's.
        after: the second run's.
    """

    before: Figure | None
    after: Figure | None

    @property
    def difference(self) -> Figure:
        """The second less the first, with an interval from the two intervals (Zou and Donner 2008, Eq. 2).

        That holds for independent figures. Those over the same images mostly rise and fall together, and then the
        interval is too wide rather than too narrow. It counts the images of the side that has fewer.
        """
        before, after = self.before or _NOTHING, self.after or _NOTHING
        value = after.value - before.value
        return Figure(
            value,
            value - math.hypot(after.value - after.low, before.high - before.value),
            value + math.hypot(after.high - after.value, before.value - before.low),
            min((figure.images for figure in (self.before, self.after) if figure is not None), default=0),
        )

    @property
    def is_within_noise(self) -> bool | None:
        """Whether the difference may be 0; ``None`` where no interval is known."""
        return may_be_nothing(self.difference)


def may_be_nothing(difference: Figure) -> bool | None:
    """Whether 0 is in the interval of a difference; ``None`` where no interval is known."""
    if math.isnan(difference.low) or math.isnan(difference.high):
        return None
    return difference.low <= 0 <= difference.high


class Changed(Protocol):
    """What has changed by a difference."""

    @property
    def difference(self) -> Figure:
        """The difference."""
        ...


AnyChanged = TypeVar("AnyChanged", bound=Changed)


def largest_first(changes: Iterable[AnyChanged]) -> list[AnyChanged]:
    """Those that differ: first those beyond noise, then those of which that is unknown; in each, the largest first."""
    order = {False: 0, None: 1, True: 2}
    differing = [change for change in changes if change.difference.value]
    return sorted(
        differing,
        key=lambda change: (order[may_be_nothing(change.difference)], -abs(change.difference.value)),
    )
