"""Times things in turns, so that what else the machine does falls on all of them."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def medians(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; they take turns, each round begun by another, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = deque(sides)
    for turn in range(rounds + 1):
        for name in order:
            start = time.perf_counter()
            sides[name]()
            if turn:
                times[name].append(time.perf_counter() - start)
        order.rotate(1)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def ratios(times: Mapping[str, float], baseline: str) -> dict[str, float]:
    """Every other side's time over the baseline's."""
    return {name: seconds / times[baseline] for name, seconds in times.items() if name != baseline}
