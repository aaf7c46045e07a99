"""Importances of units for classes: means over images, means of squares, and what they say of the thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from db.errors import StoreError
from db.records import CONCEPT_IMAGES

if TYPE_CHECKING:
    from db.records import ClassImportance, WholeRun

_ROUNDING: Final = 1e-6
"""Of means of single precision, as a share."""
_FINEST: Final = 1e-20
"""What squares are summed to, see :mod:`dissection.engine.exact_sums`."""
_SLACK: Final = 1e-2
"""Of activations that are read from means, as a share: they may be of half precision."""
_SMALL: Final = 1e-3
"""Alphas of which nothing can be read, as a share of the greatest."""


def require_possible_importances(whole: WholeRun) -> None:
    """Check the importances of all classes.

    Raises:
        StoreError: naming the first impossible value.
    """
    for importance in whole.importances:
        where = f"{whole.origin}, class {importance.index}"
        if importance.images < 1:
            raise StoreError(f"{where}: it has importances, but no images")
        _require_squares(importance, where)
        if whole.run.constant_alphas:
            _require_thresholds(importance, whole, where)
    images = sum(importance.images for importance in whole.importances)
    if whole.run.classes and whole.run.key.evidence == CONCEPT_IMAGES and images != whole.run.images:
        raise StoreError(f"{whole.origin}: its classes have {images} images, not the {whole.run.images} of the data")


def _require_squares(importance: ClassImportance, where: str) -> None:
    means = (importance.alphas, importance.contributions, importance.lits)
    squares = (importance.alpha_squares, importance.contribution_squares, importance.lit_squares)
    for mean, square in zip(means, squares, strict=True):
        if mean is None or square is None:
            continue
        if (square < 0).any():
            raise StoreError(f"{where}: a mean of squares is negative")
        least = mean**2
        if (square < least * (1 - _ROUNDING) - _FINEST).any():
            raise StoreError(f"{where}: a mean of squares is less than the square of the mean")
        if importance.images == 1 and (square > least * (1 + _ROUNDING) + _FINEST).any():
            raise StoreError(f"{where}: with one image, a mean of squares is more than the square of the mean")


def _require_thresholds(importance: ClassImportance, whole: WholeRun, where: str) -> None:
    """Check thresholds against mean activations, which are contribution / alpha where alphas are constant.

    What is not lit is at most the threshold; and of the concept images, all but a share q of the cells are not lit.
    """
    units = whole.dissection.units
    sizes = np.abs(importance.alphas)
    known = (sizes > _SMALL * sizes.max()) & np.array([bool(unit.exemplars) for unit in units])
    if not known.any():
        return
    thresholds = np.array([unit.threshold for unit in units])[known]
    greatest = np.array([unit.exemplars[0].activation if unit.exemplars else 0 for unit in units])[known]
    alphas, contributions = importance.alphas[known], importance.contributions[known]
    is_of_concepts = whole.run.key.evidence == CONCEPT_IMAGES
    lit = min(1.0, whole.run.key.quantile * whole.run.images / importance.images) if is_of_concepts else 1.0
    if importance.lits is None:
        lits = np.zeros(len(alphas))
        bounds = thresholds + lit * (greatest - thresholds)
    else:
        lits = importance.lits[known]
        bounds = np.where(thresholds < 0, thresholds * (1 - lit), thresholds)
    slack = _SLACK * (np.abs(contributions) + np.abs(lits)) / np.abs(alphas)
    impossible = (contributions - lits) / alphas > bounds + slack
    if impossible.any():
        unit = int(np.flatnonzero(known)[impossible.argmax()])
        raise StoreError(f"{where}: unit {unit} is not lit as often as its threshold of {units[unit].threshold:g} says")
