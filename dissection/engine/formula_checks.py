"""Whether a formula describes a unit better than anything shorter on images that it was not searched on.

Held-out images are drawn again within their strata, as for :mod:`dissection.engine.stability`, here with exact counts
of pixels: for each formula, image by image, what its unit lights of it. A formula and a shorter one are compared on
those images that are labelled in the categories of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.execution.kernels import kernel
from dissection.vocabulary import INTERVAL, Truth

from .stability import RESAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Bool, Float64, Int32, Int64

    from dissection.execution.ranks import Ranks

    from .evidence_blocks import EvidenceFile
    from .formula_search import FormulaSearch, Terms
    from .halves import Halves
    from .signature_blocks import SignatureFile
    from .signatures import SignatureTable

_TOGETHER = 128
"""Images whose counts are added up in one product."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A formula that was found for a unit, and what it has to beat.

    Attributes:
        unit: the unit.
        terms: the formula.
        rivals: shorter formulas, and single concepts.
    """

    unit: int
    terms: Terms
    rivals: tuple[Terms, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What the other half says of a formula.

    Attributes:
        gain: 95 % interval of its IoU less the greatest of its rivals'.
        truth: how often it holds anywhere in an image when the unit responds, and when not, over all images.
    """

    gain: tuple[float, float]
    truth: Truth


def check(
    found: Sequence[Candidate],
    search: FormulaSearch,
    table: SignatureTable,
    signatures: SignatureFile,
    evidence: EvidenceFile,
    halves: Halves,
    ranks: Ranks,
) -> list[Check]:
    """Check formulas; every rank must call it, and gets the same.

    Args:
        found: the formulas.
        search: what they were found by; their places are its own.
        table: the rows of signatures.
        signatures: those of the images that this rank compared.
        evidence: which units are lit in those images.
        halves: of the images.
        ranks: the processes that share the images.
    """
    compared = _Compared.of(found, search)
    sums = _Sums(len(compared.units), halves.weights(RESAMPLES))
    truths = np.zeros((len(found), 4), np.int64)
    of_found = compared.found
    for block, responses in zip(signatures.blocks(), evidence.responses(), strict=True):
        rows, images = table.rows_of(block), int(block.owners[-1]) + 1
        counts = np.zeros((3, len(compared.units), images), np.int64)
        _count(
            rows, block.owners, block.areas, block.units, block.lit_signatures, block.lit_pixels,
            compared.edges, compared.order, compared.holds, compared.domains, counts,
        )  # fmt: skip
        sums.add(block.first, counts)
        firsts = rows[np.searchsorted(block.owners, np.arange(images))]
        labelled, present = compared.domains[of_found][:, firsts], counts[2, of_found] > 0
        lit = np.isfinite(responses.strengths(images, compared.units[of_found]))
        for place, chosen in enumerate((lit, lit & present, ~lit, ~lit & present)):
            truths[:, place] += (labelled & chosen).sum(1)
    resampled, truths = (ranks.sum(torch.from_numpy(part)).numpy() for part in (sums.total(), truths))
    intersections, unit_areas, formula_areas = resampled
    unions = unit_areas + formula_areas - intersections
    ious = np.divide(intersections, unions, out=np.zeros_like(unions), where=unions > 0)
    return [Check(gain, Truth(*truth.tolist())) for gain, truth in zip(compared.gains(ious), truths, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """All that is counted: formulas of units, on images that are labelled in some categories.

    Attributes:
        units: the unit of each.
        holds: at which rows each holds.
        domains: the rows of the images that it speaks of.
        found: the place of each candidate.
        rivals: places of each candidate, and of each of its rivals, where both are defined.
        order: their places, by unit.
        edges: where the places of each unit begin, and their number.
    """

    units: Int64[np.ndarray, " compared"]
    holds: Bool[np.ndarray, "compared rows"]
    domains: Bool[np.ndarray, "compared rows"]
    found: Int64[np.ndarray, " candidates"]
    rivals: tuple[Int64[np.ndarray, "rivals 2"], ...]
    order: Int64[np.ndarray, " compared"]
    edges: Int64[np.ndarray, " units_and_end"]

    @classmethod
    def of(cls, found: Sequence[Candidate], search: FormulaSearch) -> _Compared:
        places: dict[tuple[int, Terms, frozenset[int]], int] = {}

        def place(unit: int, terms: Terms, *others: Terms) -> int:
            categories = frozenset(search.categories[[one for side in (terms, *others) for _, one in side]].tolist())
            return places.setdefault((unit, terms, categories), len(places))

        of_found = np.array([place(one.unit, one.terms) for one in found], np.int64)
        rivals = tuple(
            np.array([(place(one.unit, one.terms, rival), place(one.unit, rival, one.terms)) for rival in one.rivals])
            for one in found
        )
        units = np.array([unit for unit, _, _ in places], np.int64)
        domains = np.array(
            [search.labelled[:, sorted(categories)].all(1) for _, _, categories in places], bool
        ).reshape(-1, len(search.areas))
        holds = domains & np.array([search.holds(terms) for _, terms, _ in places], bool).reshape(domains.shape)
        order = np.argsort(units, kind="stable")
        edges = np.searchsorted(units[order], np.arange(int(units.max(initial=-1)) + 2))
        return cls(units, holds, domains, of_found, rivals, order, edges)

    def gains(self, ious: Float64[np.ndarray, "compared resamples"]) -> Iterator[tuple[float, float]]:
        """The interval of each candidate's least gain over a rival."""
        for sides in self.rivals:
            least = (ious[sides[:, 0]] - ious[sides[:, 1]]).min(0)
            low, high = np.quantile(least, INTERVAL).tolist()
            yield low, high


class _Sums:
    """Adds up counts of images over resamples, many images in one product: numbers are whole, so no order matters.

    Args:
        weights: how often each image is drawn in each resample.
    """

    def __init__(self, compared: int, weights: Int32[np.ndarray, "images resamples"]) -> None:
        self._weights = weights
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._sums = np.zeros((3, compared, weights.shape[1]))

    def add(self, first: int, counts: Int64[np.ndarray, "3 compared images"]) -> None:
        """Take in a few images, given the index of the first of them."""
        weights = self._weights[first : first + counts.shape[2]]
        drawn = weights.any(1)
        self._waiting.append((counts[:, :, drawn], weights[drawn]))
        if sum(len(weights) for _, weights in self._waiting) >= _TOGETHER:
            self._add_up()

    def total(self) -> Float64[np.ndarray, "3 compared resamples"]:
        """The sums of all images."""
        if self._waiting:
            self._add_up()
        return self._sums

    def _add_up(self) -> None:
        counts, weights = zip(*self._waiting, strict=True)
        self._sums += np.concatenate(counts, 2).astype(np.float64) @ np.concatenate(weights).astype(np.float64)
        self._waiting.clear()


@kernel
def _count(  # noqa: PLR0913, PLR0917
    rows: Int64[np.ndarray, " signatures"],
    owners: Int32[np.ndarray, " signatures"],
    areas: Int64[np.ndarray, " signatures"],
    units: Int32[np.ndarray, " pairs"],
    lit_signatures: Int32[np.ndarray, " pairs"],
    lit_pixels: Int32[np.ndarray, " pairs"],
    edges: Int64[np.ndarray, " units_and_end"],
    order: Int64[np.ndarray, " compared"],
    holds: Bool[np.ndarray, "compared rows"],
    domains: Bool[np.ndarray, "compared rows"],
    counts: Int64[np.ndarray, "3 compared images"],
) -> None:
    """Add up, image by image, I, A and G of all that is compared."""
    for pair in range(len(units)):
        unit, signature, pixels = units[pair], lit_signatures[pair], lit_pixels[pair]
        if unit < len(edges) - 1:
            for place in order[edges[unit] : edges[unit + 1]]:
                if domains[place, rows[signature]]:
                    counts[1, place, owners[signature]] += pixels
                if holds[place, rows[signature]]:
                    counts[0, place, owners[signature]] += pixels
    for place in range(len(holds)):
        for signature in range(len(rows)):
            if holds[place, rows[signature]]:
                counts[2, place, owners[signature]] += areas[signature]
