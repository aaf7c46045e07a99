"""Is what was said with a probability true that often?

The Brier score is the mean squared difference of what was said and what was found (0 or 1): 0 is best, and always
saying one half gives 0.25. The AUC is the chance that of a true and a false statement the true one was said with more
certainty.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from scipy import stats

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float64

BINS = 5
"""Bins of equal width into which probabilities are sorted."""


def bin_of(said: float) -> int:
    """The bin of a probability, from 0; a probability on an edge belongs to the upper bin, and 1 to the last.

    >>> bin_of(0.0), bin_of(0.19), bin_of(0.2), bin_of(1.0)
    (0, 0, 1, 4)
    """
    return bisect_right([edge / BINS for edge in range(1, BINS)], said)


def area_under_roc(said: Float64[np.ndarray, " statements"], is_true: Bool[np.ndarray, " statements"]) -> float:
    """The chance that a true statement was said with more certainty than a false one, equal ones counting one half.

    NaN unless some statements are true and some false.

    >>> import numpy as np
    >>> area_under_roc(np.array([0.9, 0.6, 0.6]), np.array([True, True, False]))
    0.75
    """
    true, false = int(is_true.sum()), int((~is_true).sum())
    if not true or not false:
        return float("nan")
    ranks = stats.rankdata(said)
    return float((ranks[is_true].sum() - true * (true + 1) / 2) / (true * false))
