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

    from .evidence_blocks import EvidenceFile, Responses
    from .formula_search import FormulaSearch, Terms
    from .halves import Halves
    from .signature_blocks import SignatureFile
    from .signatures import SignatureTable


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
    weights = halves.weights(RESAMPLES)
    sums = np.zeros((3, len(compared.units), RESAMPLES))
    truths = np.zeros((len(found), 4), np.int64)
    of_found = compared.starts[:-1]
    for block, responses in zip(signatures.blocks(), evidence.responses(), strict=True):
        rows, images = table.rows_of(block), int(block.owners[-1]) + 1
        counts = np.zeros((3, len(compared.units), images), np.int64)
        _count(
            rows, block.owners, block.areas, block.units, block.lit_signatures, block.lit_pixels,
            compared.edges, compared.order, compared.holds, compared.domains, counts,
        )  # fmt: skip
        sums += counts.astype(np.float64) @ weights[block.first : block.first + images]
        firsts = rows[np.searchsorted(block.owners, np.arange(images))]
        labelled, present = compared.domains[of_found][:, firsts], counts[2, of_found] > 0
        lit = _lit(responses, images, compared.units[of_found])
        for place, chosen in enumerate((lit, lit & present, ~lit, ~lit & present)):
            truths[:, place] += (labelled & chosen).sum(1)
    sums, truths = (ranks.sum(torch.from_numpy(part)).numpy() for part in (sums, truths))
    intersections, unit_areas, formula_areas = sums
    unions = unit_areas + formula_areas - intersections
    ious = np.divide(intersections, unions, out=np.zeros_like(unions), where=unions > 0)
    return [Check(gain, Truth(*truth.tolist())) for gain, truth in zip(compared.gains(ious), truths, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """All that is counted: of each candidate first itself, and then by pairs itself and a rival on their common images.

    Attributes:
        units: the unit of each.
        holds: at which rows each holds.
        domains: the rows of the images that it speaks of.
        starts: where those of each candidate begin, and their number.
        order: their places, by unit.
        edges: where the places of each unit begin, and their number.
    """

    units: Int64[np.ndarray, " compared"]
    holds: Bool[np.ndarray, "compared rows"]
    domains: Bool[np.ndarray, "compared rows"]
    starts: Int64[np.ndarray, " candidates_and_end"]
    order: Int64[np.ndarray, " compared"]
    edges: Int64[np.ndarray, " units_and_end"]

    @classmethod
    def of(cls, found: Sequence[Candidate], search: FormulaSearch) -> _Compared:
        parts = [
            (candidate.unit, search.holds(terms) & domain, domain)
            for candidate in found
            for terms, domain in _sides(candidate, search)
        ]
        units = np.array([unit for unit, _, _ in parts], np.int64)
        rows = len(search.areas)
        holds = np.array([one for _, one, _ in parts], bool).reshape(-1, rows)
        domains = np.array([one for _, _, one in parts], bool).reshape(-1, rows)
        starts = np.cumsum([0, *(1 + 2 * len(candidate.rivals) for candidate in found)])
        order = np.argsort(units, kind="stable")
        edges = np.searchsorted(units[order], np.arange(int(units.max(initial=-1)) + 2))
        return cls(units, holds, domains, starts, order, edges)

    def gains(self, ious: Float64[np.ndarray, "compared resamples"]) -> Iterator[tuple[float, float]]:
        """The interval of each candidate's least gain over a rival."""
        for start, end in zip(self.starts[:-1], self.starts[1:], strict=True):
            least = (ious[start + 1 : end : 2] - ious[start + 2 : end : 2]).min(0)
            low, high = np.quantile(least, INTERVAL).tolist()
            yield low, high


def _sides(candidate: Candidate, search: FormulaSearch) -> Iterator[tuple[Terms, Bool[np.ndarray, " rows"]]]:
    own = search.domain(candidate.terms)
    yield candidate.terms, own
    for rival in candidate.rivals:
        common = own & search.domain(rival)
        yield candidate.terms, common
        yield rival, common


def _lit(responses: Responses, images: int, units: Int64[np.ndarray, " chosen"]) -> Bool[np.ndarray, "chosen images"]:
    """Whether some units are lit in each image of a block."""
    lit = np.zeros((max(int(units.max(initial=-1)), int(responses.units.max(initial=-1))) + 1, images), bool)
    lit[responses.units, responses.images] = True
    return np.asarray(lit[units])


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
