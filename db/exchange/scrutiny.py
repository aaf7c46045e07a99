"""Checks of a run that another store made, beyond those of `agreement` for our own: it may lie."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from PIL import Image

from db.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.records import ClassImportance, WholeRun
    from dissection.vocabulary import Evidence, Overlap, Unit

GREATEST_PICTURE = 2**20
"""Bytes that an exemplar's picture may have; those of a build have some thousands."""
_GREATEST_SIDE = 1024
_QUARTERS = 4


def require_possible(whole: WholeRun) -> None:
    """Check that the counts are possible, that each unit's best concept comes first, and that pictures are pictures.

    Raises:
        StoreError: naming the first impossible value.
    """
    for unit in whole.dissection.units:
        where = f"{whole.origin}, unit {unit.number}"
        _require_overlaps(unit, where)
        for overlap in unit.overlaps:
            _require_truth(overlap, whole.dissection.images, where)
        if unit.evidence is not None:
            _require_evidence(unit.evidence, unit, where)
    for importance in whole.importances:
        _require_squares(importance, whole.origin)
    for image, jpeg in whole.pictures.items():
        _require_picture(jpeg, f"{whole.origin}, picture of image {image}")
    _require_text(whole.run.source, whole.origin)


def _require_overlaps(unit: Unit, where: str) -> None:
    for overlap in unit.overlaps:
        if not 0 <= overlap.intersection <= min(overlap.unit_area, overlap.concept_area):
            raise StoreError(f"{where}: the intersection with {overlap.concept.name!r} is larger than one of the areas")
    ranks = [(-overlap.iou, overlap.concept.number) for overlap in unit.overlaps]
    if ranks != sorted(set(ranks)):
        raise StoreError(f"{where}: its overlaps are not in order, best first, each concept once")


def _require_truth(overlap: Overlap, images: int, where: str) -> None:
    truth = overlap.truth
    if truth is None:
        return
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


def _require_evidence(evidence: Evidence, unit: Unit, where: str) -> None:
    if unit.best is None:
        raise StoreError(f"{where}: there is evidence, but no overlap that it could be for")
    if not all(0 <= share <= 1 for share in (evidence.p, evidence.q, evidence.kept)):  # the tail of p may underflow
        raise StoreError(f"{where}: p, q and the share of resamples that keep its name are not all from 0 to 1")
    if evidence.control is not None and not 0 <= evidence.control <= 1:
        raise StoreError(f"{where}: the control's IoU is {evidence.control}, not from 0 to 1")
    if evidence.iou[0] > evidence.iou[1] or evidence.margin[0] > evidence.margin[1]:
        raise StoreError(f"{where}: an interval of its evidence ends before it begins")
    rivals = set(evidence.runners_up)
    if len(rivals) < len(evidence.runners_up) or not rivals <= {overlap.concept for overlap in unit.overlaps[1:]}:
        raise StoreError(f"{where}: its runners-up are not other concepts that it overlaps, each once")
    _require_quarters(evidence, where)


def _require_quarters(evidence: Evidence, where: str) -> None:
    least = [quarter.least for quarter in evidence.quarters]
    if len(least) > _QUARTERS or least != sorted(set(least)):
        raise StoreError(f"{where}: its quarters are not at most {_QUARTERS}, weakest first")
    if any(not 0 <= quarter.hits <= quarter.images or not quarter.images for quarter in evidence.quarters):
        raise StoreError(f"{where}: a quarter has no images, or fewer than carry the concept")


def _require_squares(importance: ClassImportance, where: str) -> None:
    squares = (importance.alpha_squares, importance.contribution_squares, importance.lit_squares)
    if any(mean is not None and (mean < 0).any() for mean in squares):
        raise StoreError(f"{where}, class {importance.index}: a mean of squares is negative")


def _require_picture(jpeg: bytes, where: str) -> None:
    if len(jpeg) > GREATEST_PICTURE:
        raise StoreError(f"{where} has {len(jpeg)} bytes: a picture of an exemplar has at most {GREATEST_PICTURE}")
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            if max(picture.size) > _GREATEST_SIDE:
                raise StoreError(f"{where} is {picture.size} pixels: an exemplar's has at most {_GREATEST_SIDE} a side")
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise StoreError(f"{where} is not a JPEG: {error}") from error


def _require_text(source: Mapping[str, object], where: str) -> None:
    try:
        json.dumps(dict(source), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"{where}: its source holds invalid text") from error
