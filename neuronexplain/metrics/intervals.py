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
    """A figure and its confidence interval; all three are NaN if no image counts.

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
    numerator = np.asarray(numerators, np.float64)
    denominator = np.ones_like(numerator) if denominators is None else np.asarray(denominators, np.float64)
    numerator, denominator = numerator.reshape(len(numerator), -1), denominator.reshape(len(denominator), -1)
    images = int((denominator != 0).any(1).sum())
    if not images:
        return Figure(np.nan, np.nan, np.nan, 0)
    value = float(_quotients(np.ones((1, len(numerator))), numerator, denominator)[0])
    low, high = np.nanquantile(_resampled(numerator, denominator, resamples, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, float(low), float(high), images)


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
