"""Which names are proven: those of which there is evidence that they are more than chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.vocabulary import MIN_IOU

from .errors import StoreError

if TYPE_CHECKING:
    from dissection.vocabulary import Unit

    from .records import Run

MAX_Q = 0.05
"""A name is proven if the rate of false names among those as sure is at most this."""


def is_proven(unit: Unit, min_iou: float = MIN_IOU) -> bool:
    """Whether a unit has a proven name: its IoU is at least ``min_iou``, and its ``q`` at most `MAX_Q`."""
    return unit.name(min_iou) is not None and unit.evidence is not None and unit.evidence.q <= MAX_Q


def require_evidence(run: Run) -> None:
    """Check that evidence for names was gathered.

    Raises:
        StoreError: if not, so that no name can be proven.
    """
    if not run.draws:
        raise StoreError(
            f"run {run.id} keeps no evidence for names, so none is proven: build it again with draws (--draws 199)"
        )
