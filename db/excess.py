"""By how much units' lit contributions to a class exceed those to the average class, with 95 % intervals.

With ``m_ck`` the mean lit contribution of unit k over the ``n_c`` images of class c, a concept that names units K has

    excess_c = 1/|K| sum_k (m_ck - 1/C sum_c' m_c'k)

over the C classes that have images. Its standard error is that of the images that happened to be looked at:

    s_c  = 1/|K| sum_k sqrt((q_ck - m_ck^2) / (n_c - 1)),    q_ck the mean of squares
    se^2 = (1 - 1/C)^2 s_c^2 + 1/C^2 sum_{c' != c} s_c'^2

Units see the same images, so they are not independent: ``s_c`` adds up their errors as if they were fully correlated,
which is the most that they can be. Classes have different images, and are independent. The interval is Student's, with
the degrees of freedom of Welch and Satterthwaite, but no more than the class's own ``n_c - 1``: with few images theirs
are too many. A class with one image has no interval; in the average, its variance is taken to be that within the other
classes, with their degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Excess:
    """A concept's mean lit contribution to a class, less that to the average class, in the units of the class's score.

    Attributes:
        value: the difference.
        interval: its 95 % interval; ``None`` where fewer than two images are behind it.
        images: images of the class behind it.
    """

    value: float
    interval: tuple[float, float] | None
    images: int


@dataclass(frozen=True, slots=True, eq=False)
class LitContributions:
    """The lit contributions of a run's units to every class that has images.

    Attributes:
        classes: the classes' indices, ascending.
        images: number of images by class.
        means: means over a class's images.
        squares: means of squares.
    """

    classes: Sequence[int]
    images: Sequence[int]
    means: Float64[np.ndarray, "classes units"]
    squares: Float64[np.ndarray, "classes units"]

    def by_unit(self) -> dict[int, Float64[np.ndarray, " units"]]:
        """The excess of each unit by itself, by class."""
        return dict(zip(self.classes, self.means - self.means.mean(0), strict=True))

    def excesses(self, units: Sequence[int]) -> dict[int, Excess]:
        """The excess of a concept that names ``units``, by class."""
        values, half_widths = self._values(units).tolist(), self._half_widths(units).tolist()
        return {
            index: _excess(value, half, images)
            for index, value, half, images in zip(self.classes, values, half_widths, self.images, strict=True)
        }

    def excess(self, index: int, units: Sequence[int]) -> Excess:
        """The excess of a concept that names ``units`` for one class."""
        row = self.classes.index(index)
        return _excess(float(self._values(units)[row]), float(self._half_widths(units)[row]), self.images[row])

    def contrast(self, index: int, other: int, units: Sequence[int]) -> Excess:
        """What a concept that names ``units`` contributes to one class above what it contributes to another.

        The classes have different images, so ``se^2 = s_c^2 + s_c'^2``; the degrees of freedom are those of the class
        with fewer images.
        """
        rows = [self.classes.index(index), self.classes.index(other)]
        means, errors = self.means[:, units].mean(1)[rows], self._errors(units)[rows]
        half = _half_width(np.array([(errors**2).sum()]), self._freedom()[rows].min(keepdims=True))
        return _excess(float(means[0] - means[1]), float(half[0]), min(self.images[row] for row in rows))

    def _values(self, units: Sequence[int]) -> Float64[np.ndarray, " classes"]:
        values: np.ndarray = self.means[:, units].mean(1)
        values -= values.mean()
        return values

    def _half_widths(self, units: Sequence[int]) -> Float64[np.ndarray, " classes"]:
        """Half of each class's interval."""
        shares, count, freedom = self._errors(units) ** 2, len(self.images), self._freedom()
        own, others = (1 - 1 / count) ** 2 * shares, shares / count**2
        totals = own + np.maximum(others.sum() - others, 0)
        terms = others**2 / freedom
        doubts = own**2 / freedom + np.maximum(terms.sum() - terms, 0)
        pooled = np.where(doubts > 0, totals**2 / np.where(doubts > 0, doubts, 1), 1)
        used = np.maximum(np.minimum(pooled, freedom), 1)
        return _half_width(totals, used)

    def _freedom(self) -> Float64[np.ndarray, " classes"]:
        """Degrees of freedom of each class's variance."""
        freedom = np.maximum(np.array(self.images, np.float64) - 1, 0)
        degrees: np.ndarray = np.where(freedom > 0, freedom, max(freedom.sum(), 1))
        return degrees

    def _errors(self, units: Sequence[int]) -> Float64[np.ndarray, " classes"]:
        """``s_c``; for a class of one image, from the variance within the others; 0 where there is none."""
        images = np.array(self.images, np.float64)[:, None]
        freedom = np.maximum(images - 1, 0)
        deviations = variances(self.means[:, units], self.squares[:, units])
        within = (deviations * np.where(freedom > 0, images, 0)).sum(0) / max(freedom.sum(), 1)
        errors = np.sqrt(np.where(freedom > 0, deviations / np.maximum(freedom, 1), within))
        means: np.ndarray = errors.mean(1)
        return means


def standard_errors(
    means: Float64[np.ndarray, " units"], squares: Float64[np.ndarray, " units"], images: int
) -> Float64[np.ndarray, " units"]:
    """Standard errors of means over images, given the means of squares; NaN for fewer than two images."""
    if images < 2:
        return np.full(len(means), np.nan)
    errors: np.ndarray = np.sqrt(variances(means, squares) / (images - 1))
    return errors


def variances(
    means: Float64[np.ndarray, "*shape"], squares: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """Mean squared deviations from the means; rounding makes none negative."""
    deviations: np.ndarray = np.maximum(squares - means**2, 0)
    return deviations


def _half_width(
    squares: Float64[np.ndarray, " classes"], freedom: Float64[np.ndarray, " classes"]
) -> Float64[np.ndarray, " classes"]:
    """Half of Student's interval, given squared standard errors and degrees of freedom."""
    from scipy.special import stdtrit  # noqa: PLC0415 -- takes a while to import, and few queries need it

    half_widths: np.ndarray = np.sqrt(squares) * stdtrit(freedom, (1 + _CONFIDENCE) / 2)
    return half_widths


def _excess(value: float, half: float, images: int) -> Excess:
    return Excess(value, (value - half, value + half) if images > 1 else None, images)
