"""How strongly a unit responds to what it stands for: quarters of its lit images, and its lit map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.errors import StoreError
from dissection.vocabulary import QUARTERS

if TYPE_CHECKING:
    from dissection.vocabulary import Composition, Evidence, Truth, Unit


def require_possible_responses(described: Evidence | Composition, truth: Truth, unit: Unit, where: str) -> None:
    """Check the quarters and the lit map of a unit's name, or of its formula.

    Args:
        described: what keeps them.
        truth: how often the name, or the formula, is true.
        unit: the unit.
        where: for messages.

    Raises:
        StoreError: naming the first impossible value.
    """
    quarters, cells = described.quarters, described.lit_map
    least = [quarter.least for quarter in quarters]
    if len(least) > QUARTERS or least != sorted(set(least)):
        raise StoreError(f"{where}: its quarters are not at most {QUARTERS}, weakest first")
    if any(not 0 <= quarter.hits <= quarter.images or not quarter.images for quarter in quarters):
        raise StoreError(f"{where}: a quarter has no images, or fewer than carry the concept")
    sums = (sum(quarter.images for quarter in quarters), sum(quarter.hits for quarter in quarters))
    if sums != (truth.lit_images, truth.hit_images):
        raise StoreError(
            f"{where}: its quarters hold {sums[0]} lit images and {sums[1]} hits, not {truth.lit_images} and "
            f"{truth.hit_images}"
        )
    greatest = unit.exemplars[0].activation if unit.exemplars else float("inf")
    if any(not unit.threshold < peak <= greatest for peak in least):
        raise StoreError(f"{where}: a quarter's weakest peak is not above its threshold, or above its greatest value")
    if cells and not unit.threshold < max(cells) <= greatest:
        raise StoreError(f"{where}: no cell of its lit map is lit, or one is above its greatest value")
