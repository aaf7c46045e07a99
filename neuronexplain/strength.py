"""How much the strength of a response says about its truth, learnt from all proven units of a layer at once.

A unit's truth differs with its strength, and a quarter of its lit images shows how; but a quarter holds few images. So
the unit's overall precision ``r`` counts as ``m`` images more, see :meth:`dissection.vocabulary.Evidence.truth`. Where
strength tells much, quarters differ by more than chance, and ``m`` is small; where they do not, it is large. It is the
weight under which the hits of all quarters are most likely, each drawn from a beta distribution of mean ``r`` and
weight ``m`` (the beta-binomial of Skellam 1948; empirical Bayes)::

    log L(m) = sum over quarters of log B(h + m r, n - h + m (1 - r)) - log B(m r, m (1 - r)),    h hits of n images

There ``r`` is the precision in the unit's *other* quarters: a quarter lies closer to a mean that it is part of, and the
weight would come out twice as large. Only images that named the units enter it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jaxtyping import Float64

    from dissection.vocabulary import Quarter, Unit

_WEIGHTS = 2.0 ** np.arange(0, 6.25, 0.25)
"""From one image, so that no quarter alone says "always" or "never", to about six quarters of twelve images."""


def overall_weight(units: Iterable[Unit]) -> float:
    """The weight of a unit's overall precision, in images; the least, 1, where there are no quarters.

    Args:
        units: the units whose names are proven.
    """
    quarters = np.array(
        [
            (quarter.hits, quarter.images, _elsewhere(unit, quarter))
            for unit in units
            if unit.evidence is not None
            for quarter in unit.evidence.quarters
        ]
    )
    if not len(quarters):
        return float(_WEIGHTS[0])
    return float(_WEIGHTS[_log_likelihoods(*quarters.T[..., None]).argmax()])


def _elsewhere(unit: Unit, quarter: Quarter) -> float:
    """The precision in other quarters, with an image of either kind by halves: no beta distribution has mean 0 or 1."""
    truth = unit.overlaps[0].truth
    if truth is None:
        return 0.5
    return (truth.hit_images - quarter.hits + 0.5) / (truth.lit_images - quarter.images + 1)


def _log_likelihoods(
    hits: Float64[np.ndarray, "quarters 1"],
    images: Float64[np.ndarray, "quarters 1"],
    elsewhere: Float64[np.ndarray, "quarters 1"],
) -> Float64[np.ndarray, " weights"]:
    """Of each weight."""
    with_it, without = _WEIGHTS * elsewhere, _WEIGHTS * (1 - elsewhere)
    terms = betaln(hits + with_it, images - hits + without) - betaln(with_it, without)
    return np.asarray(terms.sum(0))
