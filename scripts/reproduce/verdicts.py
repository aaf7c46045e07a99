"""What figures may say of a claim that one is greater than another: it holds, it does not, or they cannot tell.

A claim holds only if the two intervals do not overlap; if they do not overlap the other way round, the opposite was
measured. All else cannot be told. Differences of the same images would have narrower intervals, and are not used: where
the intervals of two figures are apart, that of their difference leaves out 0 anyway, so it could only add claims.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from neuronexplain.metrics.intervals import LEVEL

if TYPE_CHECKING:
    from neuronexplain.metrics.intervals import Figure

Interval = tuple[float, float]

LEAST_IMAGES = 10
"""Fewer images cannot tell anything: resamples of a handful hardly differ, and their interval is too narrow."""

_ANYTHING = (float("-inf"), float("inf"))


class Verdict(StrEnum):
    """The three answers."""

    HOLDS = "holds"
    OPPOSITE = "does not hold"
    UNCLEAR = "cannot tell"


def compare(more: Interval, less: Interval) -> Verdict:
    """Whether what lies in one interval is greater than what lies in another; a common end is an overlap."""
    if more[0] > less[1]:
        return Verdict.HOLDS
    if more[1] < less[0]:
        return Verdict.OPPOSITE
    return Verdict.UNCLEAR


def interval(figure: Figure, bounds: Interval | None = None) -> Interval:
    """A figure's interval, and where it is a point, since all images agree, what so many images leave open.

    If n images agree, at most ``1 - 0.05^(1/n)`` of all images differ (about 3/n, the "rule of three"), and at worst
    those have the value of a bound. Without bounds a point leaves everything open, and so do fewer than
    ``LEAST_IMAGES`` images.

    Args:
        figure: the figure.
        bounds: the least and greatest value that an image can have; None if there are none.
    """
    if figure.images < LEAST_IMAGES:
        return _ANYTHING
    if figure.low != figure.high:
        return figure.low, figure.high
    if bounds is None:
        return _ANYTHING
    others = 1 - (1 - LEVEL) ** (1 / figure.images)
    least, greatest = (figure.value + others * (bound - figure.value) for bound in bounds)
    return least, greatest
