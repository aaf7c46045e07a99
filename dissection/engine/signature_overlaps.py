"""How masks and labels overlap in a few images: what a unit lights of a concept is a sum over signatures.

Where formulas are searched for, what units light of each signature is counted pixel by pixel anyway. So overlaps with
single concepts need no second look at the pixels; the numbers are those of :mod:`dissection.engine.overlap_counting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dissection.execution.kernels import kernel

from .halves import labelled_categories
from .overlaps import Counts

if TYPE_CHECKING:
    from jaxtyping import Bool, Int32, Int64

    from .overlaps import Columns
    from .signature_blocks import SignatureBlock


def overlaps_of(block: SignatureBlock, columns: Columns) -> Counts:
    """The counts of the images of a block, for the units and concepts that occur on them."""
    units, rows = np.unique(block.units, return_inverse=True)
    occurring, places = np.unique(block.columns, return_inverse=True)
    labelled = labelled_categories(block, columns)
    carries = np.zeros((len(labelled), len(occurring)), bool)
    carries[np.repeat(block.owners, np.diff(block.starts)), places] = True
    counts = Counts(
        units,
        occurring.astype(np.int64),
        np.zeros((len(units), len(occurring)), np.int64),
        np.zeros((len(units), columns.count), np.int64),
        np.zeros(len(occurring), np.int64),
        carries.sum(0),
        int(block.areas.sum()),
    )
    _add_up(
        block.owners, block.areas, block.starts, places, rows, block.lit_signatures, block.lit_pixels, labelled,
        counts.intersection, counts.unit_area, counts.concept_area,
    )  # fmt: skip
    return counts


@kernel
def _add_up(  # noqa: PLR0913, PLR0917
    owners: Int32[np.ndarray, " signatures"],
    areas: Int64[np.ndarray, " signatures"],
    starts: Int64[np.ndarray, " signatures_and_end"],
    places: Int64[np.ndarray, " columns"],
    rows: Int64[np.ndarray, " pairs"],
    lit_signatures: Int32[np.ndarray, " pairs"],
    lit_pixels: Int32[np.ndarray, " pairs"],
    labelled: Bool[np.ndarray, "images categories"],
    intersection: Int64[np.ndarray, "rows concepts"],
    unit_area: Int64[np.ndarray, "rows categories"],
    concept_area: Int64[np.ndarray, " concepts"],
) -> None:
    for signature in range(len(areas)):
        for place in places[starts[signature] : starts[signature + 1]]:
            concept_area[place] += areas[signature]
    for pair in range(len(rows)):
        row, signature, pixels = rows[pair], lit_signatures[pair], lit_pixels[pair]
        for place in places[starts[signature] : starts[signature + 1]]:
            intersection[row, place] += pixels
        for category in range(labelled.shape[1]):
            if labelled[owners[signature], category]:
                unit_area[row, category] += pixels
