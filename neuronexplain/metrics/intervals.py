"""Figures over images, with the interval in which another sample of images would be expected to put them.

Every figure of the protocols is a mean of quotients of sums over images: an error is misses by images, a mean accuracy
is the mean over categories of hits by trials, an IoU is intersections by unions. So one bootstrap serves them all:
images are redrawn with replacement, and the figure is recomputed from how often each was drawn. If all images agree, as
in an error of 0, redrawing changes nothing, and the interval is a point: only more images would show its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float64
    from numpy.typing import ArrayLike

RESAMPLES = 2000
LEVEL = 0.95
_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its confidence interval; all three are NaN, which is unknown, if no image counts.

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
    generator, images = np.random.default_rng(seed), len(numerator)
    batches = [min(_AT_ONCE, resamples - start) for start in range(0, resamples, _AT_ONCE)]
    return np.concatenate([_quotients(_drawn(generator, count, images), numerator, denominator) for count in batches])


def _drawn(generator: np.random.Generator, rows: int, images: int) -> Float64[np.ndarray, "rows images"]:
    """How often each image was drawn, by resample."""
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
