"""Figures over few images, with intervals from formulas: redrawing three images makes their interval too narrow.

Shares have Wilson's interval, which is never a point, and the difference of two has Newcombe's, which is made of
Wilson's (Newcombe 1998, method 10). Means have Student's, and the difference of two has Welch's. Of a single image
nothing says how much others differ from it: then the ends of a mean's interval are NaN, which is unknown.
"""

from __future__ import annotations

from math import nan, sqrt
from typing import TYPE_CHECKING

import numpy as np

from .intervals import LEVEL, UNKNOWN, Figure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def share(hits: int, trials: int, *, level: float = LEVEL) -> Figure:
    """``hits / trials`` with Wilson's interval at a level of confidence.

    >>> figure = share(8, 10)
    >>> figure.value, round(figure.low, 3), round(figure.high, 3)
    (0.8, 0.49, 0.943)
    """
    if not trials:
        return UNKNOWN
    z, measured = _normal_quantile(level), hits / trials
    weight = z**2 / trials
    centre = (measured + weight / 2) / (1 + weight)
    half = z * sqrt(measured * (1 - measured) / trials + weight / (4 * trials)) / (1 + weight)
    return Figure(measured, max(centre - half, 0.0), min(centre + half, 1.0), trials)


def difference_of_shares(minuend: Figure, subtrahend: Figure) -> Figure:
    """A :func:`share` less another, of other images, with Newcombe's interval at their level; unknown if either is.

    >>> figure = difference_of_shares(share(56, 70), share(48, 80))
    >>> round(figure.value, 3), round(figure.low, 4), round(figure.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    if not (minuend.images and subtrahend.images):
        return UNKNOWN
    value = minuend.value - subtrahend.value
    below = sqrt((minuend.value - minuend.low) ** 2 + (subtrahend.high - subtrahend.value) ** 2)
    above = sqrt((minuend.high - minuend.value) ** 2 + (subtrahend.value - subtrahend.low) ** 2)
    return Figure(value, value - below, value + above, minuend.images + subtrahend.images)


def mean_of(values: ArrayLike) -> Figure:
    """The mean over images with Student's interval.

    >>> figure = mean_of([1, 2, 3, 4])
    >>> figure.value, round(figure.low, 3), round(figure.high, 3)
    (2.5, 0.446, 4.554)
    """
    numbers = np.asarray(values, np.float64)
    if not numbers.size:
        return UNKNOWN
    return _figure(float(numbers.mean()), [numbers])


def difference_of_means(minuend: ArrayLike, subtrahend: ArrayLike) -> Figure:
    """The mean over some images less the mean over others, with Welch's interval; unknown if either is.

    >>> figure = difference_of_means([1, 2, 3, 4], [0, 0, 1, 1])
    >>> figure.value, round(figure.low, 3), round(figure.high, 3)
    (2.0, 0.065, 3.935)
    """
    samples = [np.asarray(values, np.float64) for values in (minuend, subtrahend)]
    if not all(sample.size for sample in samples):
        return UNKNOWN
    return _figure(float(samples[0].mean() - samples[1].mean()), samples)


def is_apart_from_0(figure: Figure) -> bool:
    """Whether a figure's interval is known and lies on one side of 0.

    >>> is_apart_from_0(Figure(2.0, 0.1, 3.9, 8)), is_apart_from_0(mean_of([2.0]))
    (True, False)
    """
    return figure.low > 0 or figure.high < 0


def _figure(value: float, samples: list[np.ndarray]) -> Figure:
    """A mean or a difference of means, with an interval whose degrees of freedom are Welch's."""
    from scipy.special import stdtrit  # noqa: PLC0415 -- takes a while to import

    images = sum(sample.size for sample in samples)
    if min(sample.size for sample in samples) < 2:
        return Figure(value, nan, nan, images)
    squares = [float(sample.var(ddof=1)) / sample.size for sample in samples]
    total = sum(squares)
    doubt = sum(square**2 / (sample.size - 1) for square, sample in zip(squares, samples, strict=True))
    freedom = total**2 / doubt if doubt else 1.0
    half = sqrt(total) * float(stdtrit(freedom, (1 + LEVEL) / 2))
    return Figure(value, value - half, value + half, images)


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri  # noqa: PLC0415 -- takes a while to import

    return float(ndtri((1 + level) / 2))
