"""Figures over images, with the interval that another sample of images would be expected to move them in.

Every figure of the protocols is a mean of quotients of sums over images: an error is misses by images, a mean accuracy
is hits by trials for each category and then their mean, an IoU is intersections by unions. So one bootstrap does for
all: images are drawn again with replacement, and the figure is computed anew from how often each was drawn. Where all
images agree, as in an error of 0, there is nothing to draw, and the interval is a point: more images would tell.
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
    """A figure and its confidence interval; all three are NaN where no image has anything to say.

    Attributes:
        value: the figure over all images.
        low: where the interval begins.
        high: where it ends.
        images: how many images say something.
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
        denominators: of the same shape; ones unless given, which makes the figure a mean over images.
        resamples: how many times the images are drawn again.
        seed: of the draws.

    >>> figure([1, 0, 1, 1]).value
    0.75
    """
    above = np.asarray(numerators, np.float64)
    below = np.ones_like(above) if denominators is None else np.asarray(denominators, np.float64)
    above, below = above.reshape(len(above), -1), below.reshape(len(below), -1)
    images = int((below != 0).any(1).sum())
    if not images:
        return Figure(np.nan, np.nan, np.nan, 0)
    value = float(_quotients(np.ones((1, len(above))), above, below)[0])
    low, high = np.nanquantile(_resampled(above, below, resamples, seed), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value, float(low), float(high), images)


def _resampled(
    above: Float64[np.ndarray, "images categories"],
    below: Float64[np.ndarray, "images categories"],
    resamples: int,
    seed: int,
) -> Float64[np.ndarray, " resamples"]:
    generator, images = np.random.default_rng(seed), len(above)
    rows = [min(_AT_ONCE, resamples - start) for start in range(0, resamples, _AT_ONCE)]
    return np.concatenate([_quotients(_drawn(generator, count, images), above, below) for count in rows])


def _drawn(generator: np.random.Generator, rows: int, images: int) -> Float64[np.ndarray, "rows images"]:
    """How often each image was drawn."""
    drawn = generator.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)


def _quotients(
    drawn: Float64[np.ndarray, "resamples images"],
    above: Float64[np.ndarray, "images categories"],
    below: Float64[np.ndarray, "images categories"],
) -> Float64[np.ndarray, " resamples"]:
    """The figure of each resample; NaN where it drew nothing that counts."""
    top, bottom = drawn @ above, drawn @ below
    there = bottom != 0
    quotients = np.divide(top, bottom, out=np.zeros_like(top), where=there)
    counted = there.sum(1)
    means: Float64[np.ndarray, " resamples"] = np.full(len(drawn), np.nan)
    np.divide(quotients.sum(1), counted, out=means, where=counted > 0)
    return means
