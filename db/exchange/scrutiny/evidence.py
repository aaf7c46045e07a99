"""What speaks for a unit's name: how often it is true, what chance and resamples say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from db.errors import StoreError
from dissection.vocabulary import INTERVAL, MIN_IOU, MOST_SAMPLED, RUNNER_UP

from .responses import require_possible_responses

if TYPE_CHECKING:
    from db.records import Run
    from dissection.vocabulary import Evidence, Overlap, Unit

_ROUNDING: Final = 1e-9
_ABOUT: Final = 2.0
"""An interval is of the IoU on a layer's cells, which is about that on pixels where it is not small."""


def require_possible_truths(unit: Unit, images: int, where: str) -> None:
    """Check how often concepts are there when a unit responds, and when not.

    Raises:
        StoreError: naming the first impossible count.
    """
    if len({overlap.truth is None for overlap in unit.overlaps}) > 1:
        raise StoreError(f"{where}: only some of its overlaps say how often they are true")
    if any((overlap.truth is None) is not (unit.evidence is None) for overlap in unit.overlaps):
        raise StoreError(f"{where}: its overlaps say how often they are true, and there is no evidence; or the reverse")
    labelled: dict[str, tuple[int, int]] = {}
    for overlap in unit.overlaps:
        if overlap.truth is not None:
            _require_truth(overlap, images, where)
            counts = (overlap.truth.lit_images, overlap.truth.dark_images)
            if labelled.setdefault(overlap.concept.category, counts) != counts:
                raise StoreError(f"{where}: two counts of lit images are labelled by {overlap.concept.category!r}")


def _require_truth(overlap: Overlap, images: int, where: str) -> None:
    truth = overlap.truth
    assert truth is not None
    if not (0 <= truth.hit_images <= truth.lit_images <= images):
        raise StoreError(
            f"{where}: of {images} images, {truth.lit_images} cannot be lit and {truth.hit_images} of them carry "
            f"{overlap.concept.name!r}"
        )
    if truth.missed_images > truth.dark_images or truth.lit_images + truth.dark_images > images:
        raise StoreError(
            f"{where}: of {images} images, {truth.lit_images} cannot be lit and {truth.dark_images} not, of which "
            f"{truth.missed_images} carry {overlap.concept.name!r}"
        )
    if truth.hit_images + truth.missed_images != overlap.images:
        raise StoreError(
            f"{where}: {overlap.concept.name!r} is on {overlap.images} images, not on {truth.hit_images} that are lit "
            f"and {truth.missed_images} that are not"
        )
    if not truth.hit_images:  # upsampling exceeds a threshold only where a cell does
        raise StoreError(f"{where}: it meets {overlap.concept.name!r}, but is lit on no image that carries it")


def require_possible_evidence(evidence: Evidence, unit: Unit, run: Run, where: str) -> None:
    """Check a unit's evidence.

    Args:
        evidence: the unit's.
        unit: the unit.
        run: the run that it belongs to.
        where: for messages.

    Raises:
        StoreError: naming the first impossible value.
    """
    if unit.best is None:
        raise StoreError(f"{where}: there is evidence, but no overlap that it could be for")
    if not all(0 <= share <= 1 for share in (evidence.p, evidence.q, evidence.kept)):  # the tail of p may underflow
        raise StoreError(f"{where}: p, q and the share of resamples that keep its name are not all from 0 to 1")
    if evidence.control is not None and not 0 <= evidence.control <= 1:
        raise StoreError(f"{where}: the control's IoU is {evidence.control}, not from 0 to 1")
    if run.control == 0 and evidence.control is not None and evidence.control >= MIN_IOU:
        raise StoreError(f"{where}: the control's IoU is {evidence.control}, but no unit of the control has a name")
    _require_resamples(evidence, unit, run.images, where)
    if (truth := unit.best.truth) is not None:
        require_possible_responses(evidence, truth, unit, where)


def _require_resamples(evidence: Evidence, unit: Unit, images: int, where: str) -> None:
    (low, high), (margin_low, margin_high) = evidence.iou, evidence.margin
    if low > high or margin_low > margin_high:
        raise StoreError(f"{where}: an interval of its evidence ends before it begins")
    if low < 0 or high > 1 or margin_low < -1 or margin_low > low + _ROUNDING or margin_high > high + _ROUNDING:
        raise StoreError(f"{where}: the intervals of its IoU and its margin are not of an IoU and what it exceeds")
    iou = unit.overlaps[0].iou
    if images <= MOST_SAMPLED and iou >= MIN_IOU and not low / _ABOUT <= iou <= high * _ABOUT:
        raise StoreError(f"{where}: its IoU of {iou:.3g} is far from its interval of {low:.3g} to {high:.3g}")
    if margin_low > 0 and evidence.kept < INTERVAL[1] - _ROUNDING:
        raise StoreError(f"{where}: {evidence.kept:.1%} of resamples keep its name, and yet its margin is above 0")
    rivals = set(evidence.runners_up)
    if len(rivals) < len(evidence.runners_up) or not rivals <= {overlap.concept for overlap in unit.overlaps[1:]}:
        raise StoreError(f"{where}: its runners-up are not other concepts that it overlaps, each once")
    if evidence.kept + RUNNER_UP * len(rivals) > 1 + _ROUNDING:
        raise StoreError(f"{where}: {evidence.kept:.0%} of resamples leave nothing for {len(rivals)} runners-up")
