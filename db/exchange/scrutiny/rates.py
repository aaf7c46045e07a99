"""The rates of false names (q), which follow from all units' p (Benjamini and Hochberg 1995).

``q_i = min over p_j >= p_i of p_j m / r_j``, with m units that were tested and r_j of them with a p of at most p_j. A
unit without overlaps has no evidence, but may have been tested, on cells; so m and r_j are known up to the number of
those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from db.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float64

    from dissection.vocabulary import Unit

_ROUNDING: Final = 1e-9


def require_possible_rates(units: Sequence[Unit], where: str) -> None:
    """Check every unit's q against all units' p.

    Raises:
        StoreError: naming the first unit whose q cannot be.
    """
    known = sorted((unit for unit in units if unit.evidence), key=lambda unit: unit.evidence.p if unit.evidence else 0)
    if not known:
        return
    p, q = (np.array([getattr(unit.evidence, name) for unit in known]) for name in ("p", "q"))
    unknown = len(units) - len(known)
    ranks = np.searchsorted(p, p, side="right")
    tested = int((p < 1).sum())
    low = _smallest_from_here(p * (tested + unknown) / (np.minimum(ranks, tested) + unknown).clip(1))
    high = _smallest_from_here(p * len(units) / ranks)
    impossible = (q < np.maximum(low, p) * (1 - _ROUNDING)) | (q > high * (1 + _ROUNDING))
    for unit, value in zip(np.array(known, object)[impossible], q[impossible].tolist(), strict=True):
        raise StoreError(f"{where}, unit {unit.number}: its q of {value:.3g} does not follow from the p of all units")


def _smallest_from_here(values: Float64[np.ndarray, " units"]) -> Float64[np.ndarray, " units"]:
    smallest: Float64[np.ndarray, " units"] = np.minimum.accumulate(np.minimum(values, 1)[::-1])[::-1]
    return smallest
