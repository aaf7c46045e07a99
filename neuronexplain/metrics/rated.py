"""Means of people's ratings, with the interval in which other people and other images would be expected to put them.

Ratings of one rater are alike, and so are ratings of one image. So both are redrawn with replacement, independently of
each other, and a rating counts as often as its rater was drawn, times as often as its image was: the pigeonhole
bootstrap (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2)). Its intervals allow for either
kind of likeness, and are somewhat too wide where there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .intervals import LEVEL, RESAMPLES, UNKNOWN, Figure

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from jaxtyping import Float64, Int64
    from numpy.typing import ArrayLike

_AT_ONCE = 100


def mean_rating(
    values: ArrayLike,
    raters: Sequence[Hashable],
    images: Sequence[Hashable],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Figure:
    """The mean of ratings, with its interval over raters and images.

    Args:
        values: by rating.
        raters: who gave each rating.
        images: the image of each rating.
        resamples: how many times raters and images are redrawn.
        seed: seed of the draws.

    >>> mean_rating([1, 0, 1, 1], ["ann", "ann", "bob", "bob"], [1, 2, 1, 2]).value
    0.75
    """
    rated = np.asarray(values, np.float64)
    if not len(rated):
        return UNKNOWN
    resampled = np.concatenate(
        [_means(weights, rated) for weights in _draws(_numbered(raters), _numbered(images), resamples, seed)]
    )
    return _figure(float(rated.mean()), resampled, images)


def difference_of_ratings(
    values: ArrayLike,
    is_minuend: ArrayLike,
    raters: Sequence[Hashable],
    images: Sequence[Hashable],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Figure:
    """The mean of some ratings less the mean of the others, with raters and images redrawn for both at once.

    Args:
        values: by rating.
        is_minuend: which ratings the first mean is of.
        raters: who gave each rating.
        images: the image of each rating.
        resamples: how many times raters and images are redrawn.
        seed: seed of the draws.

    >>> raters, images = ["ann", "bob", "ann", "bob"], [1, 2, 1, 2]
    >>> difference_of_ratings([1, 1, 0, 1], [True, True, False, False], raters, images).value
    0.5
    """
    rated, first = np.asarray(values, np.float64), np.asarray(is_minuend, bool)
    if first.all() or not first.any():
        return UNKNOWN
    resampled = np.concatenate(
        [
            _means(weights * first, rated) - _means(weights * ~first, rated)
            for weights in _draws(_numbered(raters), _numbered(images), resamples, seed)
        ]
    )
    return _figure(float(rated[first].mean() - rated[~first].mean()), resampled, images)


def _figure(value: float, resampled: Float64[np.ndarray, " resamples"], images: Sequence[Hashable]) -> Figure:
    """The figure with the interval of its resamples, leaving out those that drew no rating; all may have."""
    drawn = resampled[np.isfinite(resampled)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(drawn) else (np.nan, np.nan)
    return Figure(value, float(low), float(high), len(set(images)))


def _numbered(names: Sequence[Hashable]) -> Int64[np.ndarray, " ratings"]:
    """The names as numbers from 0, in order of appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _draws(
    raters: Int64[np.ndarray, " ratings"], images: Int64[np.ndarray, " ratings"], resamples: int, seed: int
) -> Iterator[Float64[np.ndarray, "resamples ratings"]]:
    """How often each rating counts, by resample."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, _AT_ONCE):
        count = min(_AT_ONCE, resamples - start)
        yield (_drawn(generator, count, raters) * _drawn(generator, count, images)).astype(np.float64)


def _drawn(
    generator: np.random.Generator, rows: int, clusters: Int64[np.ndarray, " ratings"]
) -> Int64[np.ndarray, "rows ratings"]:
    """How often each rating's cluster was drawn, by resample."""
    count = int(clusters.max()) + 1
    return generator.multinomial(count, np.full(count, 1 / count), size=rows)[:, clusters]


def _means(
    weights: Float64[np.ndarray, "resamples ratings"], values: Float64[np.ndarray, " ratings"]
) -> Float64[np.ndarray, " resamples"]:
    """The mean of each resample; NaN if it drew none of the ratings."""
    total = weights.sum(1)
    means: Float64[np.ndarray, " resamples"] = np.full(len(weights), np.nan)
    np.divide(weights @ values, total, out=means, where=total > 0)
    return means
