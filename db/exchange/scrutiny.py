"""Checks of a run that another store made, beyond those of `agreement` for our own: it may lie."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from PIL import Image

from db.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.records import WholeRun
    from dissection.vocabulary import Unit

GREATEST_PICTURE = 2**20
"""Bytes that an exemplar's picture may have; those of a build have some thousands."""
_GREATEST_SIDE = 1024


def require_possible(whole: WholeRun) -> None:
    """Check that the counts are possible, that each unit's best concept comes first, and that pictures are pictures.

    Raises:
        StoreError: naming the first impossible value.
    """
    for unit in whole.dissection.units:
        _require_overlaps(unit, f"{whole.origin}, unit {unit.number}")
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
