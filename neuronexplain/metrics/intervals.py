"""Figures over images, with the interval in which another sample of images would be expected to put them.

Nearly every figure of the protocols is a mean of quotients of sums over images: an error is misses by images, a mean
accuracy is the mean over categories of hits by trials, an IoU is intersections by unions. So one bootstrap serves them
all, and the quantiles of what images hold several of: images are redrawn with replacement, and the figure is recomputed
from how often each was drawn. If all images agree, as in an error of 0, redrawing changes nothing, and the interval is
a point: only more images would show its width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jaxtyping import Float64
    from numpy.typing import ArrayLike

RESAMPLES = 2000
LEVEL = 0.95
_AT_ONCE = 250

_NO_VARIANCE = 1e-12
"""A resample whose variance is this share of that of all images has one value, up to rounding."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its confidence interval; all three are NaN, for unknown, if no image counts.

    Attributes:
        value: the figure over all images.
        low: where the interval begins.
        high: where it ends.
        images: how many images count.
    """

    value: float
    low: float
    high: float
    images: int


UNKNOWN = Figure(np.nan, np.nan, np.nan, 0)
"""The figure where there is nothing to be the mean of."""


def figure(
    numerators: ArrayLike, denominators: ArrayLike | None = None, *, resamples: int = RESAMPLES, seed: int = 0
) -> Figure:
    """The mean over categories of ``sum(numerators) / sum(denominators)``, with its percentile bootstrap interval.

    Categories without a denominator, in all images or in a resample, are left out of the mean.

    Args:
        numerators: by image, or by image and category.
        denominators: of the same shape; by default ones, which makes the figure a mean over images.
        resamples: how many times the images are redrawn.
        seed: seed of the draws.

    >>> figure([1, 0, 1, 1]).value
    0.75
    """
    numerator, denominator = _sums(numerators, denominators)
    if not denominator.any():
        return UNKNOWN
    resampled = _resampled(numerator, denominator, resamples, seed)
    return _with_interval(_value(numerator, denominator), resampled, denominator)


def difference(
    minuend: tuple[ArrayLike, ArrayLike],
    subtrahend: tuple[ArrayLike, ArrayLike],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Figure:
    """A :func:`figure` less another of the same images, which are redrawn for both at once; unknown if either is.

    Args:
        minuend: numerators and denominators of the first.
        subtrahend: numerators and denominators of the second.
        resamples: how many times the images are redrawn.
        seed: seed of the draws.

    >>> difference(([1, 1, 1, 1], [1, 1, 1, 1]), ([1, 0, 1, 1], [1, 1, 1, 1])).value
    0.25
    """
    first, second = _sums(*minuend), _sums(*subtrahend)
    if not (first[1].any() and second[1].any()):
        return UNKNOWN
    resampled = _resampled(*first, resamples, seed) - _resampled(*second, resamples, seed)
    return _with_interval(_value(*first) - _value(*second), resampled, np.hstack([first[1], second[1]]))


def correlation(values: ArrayLike, others: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Figure:
    """Pearson's correlation of two values of each image; the point-biserial one if one of them is 0 or 1.

    It is unknown where a value is the same for all images; resamples of which that holds are left out.

    Args:
        values: by image.
        others: by image.
        resamples: how many times the images are redrawn.
        seed: seed of the draws.

    >>> round(correlation([1, 2, 3, 4], [0, 0, 1, 1]).value, 3)
    0.894
    """
    first, second = (np.asarray(one, np.float64) for one in (values, others))
    if not (len(first) and np.ptp(first) and np.ptp(second)):
        return UNKNOWN
    standard = [(one - one.mean()) / one.std() for one in (first, second)]
    moments = np.stack([np.ones(len(first)), *standard, standard[0] ** 2, standard[1] ** 2, np.prod(standard, 0)], 1)
    drawn = _draws(len(first), resamples, seed)
    resampled = np.concatenate([_correlations(counts @ moments) for counts in drawn])
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(np.prod(standard, 0).mean()), float(low), float(high), len(first))


def quantile(values: Sequence[Sequence[float]], share: float, *, resamples: int = RESAMPLES, seed: int = 0) -> Figure:
    """A quantile of the values of all images, each image having any number of them, with its interval.

    It is the least value that at least ``share`` of the values do not exceed; a value may be infinite.

    Args:
        values: by image.
        share: 0.5 for the median.
        resamples: how many times the images are redrawn.
        seed: seed of the draws.

    >>> quantile([[1, 9], [], [2]], 0.5).value
    2.0
    """
    flat = np.array([value for of_image in values for value in of_image], np.float64)
    if not flat.size:
        return UNKNOWN
    order = np.argsort(flat)
    flat, owners = flat[order], np.repeat(np.arange(len(values)), [len(of_image) for of_image in values])[order]
    everything = np.ones((1, len(values)))
    drawn = _draws(len(values), resamples, seed)
    resampled = np.concatenate([_lowest_reaching(share, counts[:, owners], flat) for counts in drawn])
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="closest_observation")
    value = _lowest_reaching(share, everything[:, owners], flat)[0]
    return Figure(float(value), float(low), float(high), len(set(owners.tolist())))


def transformed(measured: Figure, rising: Callable[[float], float]) -> Figure:
    """A function of a figure that never falls, and so of the ends of its interval."""
    return replace(measured, value=rising(measured.value), low=rising(measured.low), high=rising(measured.high))


def _correlations(sums: Float64[np.ndarray, "resamples 6"]) -> Float64[np.ndarray, " resamples"]:
    """The correlation of each resample by its sums of 1, x, y, x^2, y^2 and xy; NaN where x or y does not vary."""
    x, y, xx, yy, xy = (sums[:, 1:] / sums[:, :1]).T
    variances = np.stack([xx - x**2, yy - y**2])
    varies = (variances > _NO_VARIANCE).all(0)
    correlations: Float64[np.ndarray, " resamples"] = np.full(len(sums), np.nan)
    np.divide(xy - x * y, np.sqrt(variances.clip(0).prod(0)), out=correlations, where=varies)
    return correlations.clip(-1, 1)


def _lowest_reaching(
    share: float, counts: Float64[np.ndarray, "resamples values"], ascending: Float64[np.ndarray, " values"]
) -> Float64[np.ndarray, " resamples"]:
    """The least value that this share of the values, each counted this often, does not exceed; NaN if none counts."""
    reached = counts.cumsum(1)
    totals = reached[:, -1]
    needed = np.maximum(np.ceil(share * totals), 1)
    first = (reached >= needed[:, None]).argmax(1)
    lowest: Float64[np.ndarray, " resamples"] = np.where(totals > 0, ascending[first], np.nan)
    return lowest


def _sums(
    numerators: ArrayLike, denominators: ArrayLike | None
) -> tuple[Float64[np.ndarray, "images categories"], Float64[np.ndarray, "images categories"]]:
    """Numerators and denominators by image and category."""
    numerator = np.asarray(numerators, np.float64)
    denominator = np.ones_like(numerator) if denominators is None else np.asarray(denominators, np.float64)
    return numerator.reshape(len(numerator), -1), denominator.reshape(len(denominator), -1)


def _value(
    numerator: Float64[np.ndarray, "images categories"], denominator: Float64[np.ndarray, "images categories"]
) -> float:
    """The figure over all images, each counted once."""
    return float(_quotients(np.ones((1, len(numerator))), numerator, denominator)[0])


def _with_interval(
    value: float, resampled: Float64[np.ndarray, " resamples"], denominator: Float64[np.ndarray, "images categories"]
) -> Figure:
    """The figure with the interval of its resamples, leaving out those that drew nothing to be the mean of."""
    low, high = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, float(low), float(high), int((denominator != 0).any(1).sum()))


def _resampled(
    numerator: Float64[np.ndarray, "images categories"],
    denominator: Float64[np.ndarray, "images categories"],
    resamples: int,
    seed: int,
) -> Float64[np.ndarray, " resamples"]:
    drawn = _draws(len(numerator), resamples, seed)
    return np.concatenate([_quotients(counts, numerator, denominator) for counts in drawn])


def _draws(images: int, resamples: int, seed: int) -> Iterator[Float64[np.ndarray, "rows images"]]:
    """How often each image was drawn, by resample, some resamples at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _AT_ONCE):
        yield _drawn(generator, min(_AT_ONCE, resamples - start), images)


def _drawn(generator: np.random.Generator, rows: int, images: int) -> Float64[np.ndarray, "rows images"]:
    drawn = generator.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)


def _quotients(
    counts: Float64[np.ndarray, "resamples images"],
    numerator: Float64[np.ndarray, "images categories"],
    denominator: Float64[np.ndarray, "images categories"],
) -> Float64[np.ndarray, " resamples"]:
    """The figure of each resample; NaN if it drew no image that counts."""
    numerator_sums, denominator_sums = counts @ numerator, counts @ denominator
    is_defined = denominator_sums != 0
    quotients = np.divide(numerator_sums, denominator_sums, out=np.zeros_like(numerator_sums), where=is_defined)
    categories = is_defined.sum(1)
    means: Float64[np.ndarray, " resamples"] = np.full(len(counts), np.nan)
    np.divide(quotients.sum(1), categories, out=means, where=categories > 0)
    return means
