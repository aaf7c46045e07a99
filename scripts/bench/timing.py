"""Times functions in turns, so that other work on the machine affects them all."""

from __future__ import annotations

import statistics
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def timed(run: Callable[[], object]) -> Callable[[], float]:
    """The same function, but returning the seconds it took."""

    def seconds() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return seconds


def in_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round; each round begins with another side; an extra first one is not counted."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = deque(sides)
    for turn in range(rounds + 1):
        for name in order:
            seconds = sides[name]()
            if turn:
                times[name].append(seconds)
        order.rotate(1)
    return times


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median round of each side."""
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def ratio(times: Mapping[str, Sequence[float]], side: str, baseline: str) -> dict[str, float]:
    """How many times as long as the baseline a side took in the same round: median, lowest and highest."""
    ratios = [seconds / base for seconds, base in zip(times[side], times[baseline], strict=True)]
    return {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
