"""How strongly units respond in images that their formulas speak of, and whether the formulas hold there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .peaks import Peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .evidence_blocks import EvidenceFile
    from .formula_checks import Candidate
    from .formula_search import FormulaSearch
    from .peaks import PeakFile
    from .signature_blocks import SignatureFile
    from .signatures import SignatureTable


def write_peaks(
    formulas: Sequence[Candidate],
    search: FormulaSearch,
    table: SignatureTable,
    signatures: SignatureFile,
    evidence: EvidenceFile,
    file: PeakFile,
) -> None:
    """Write the responses of units in images labelled in all categories of their formulas; hits are where these hold.

    Args:
        formulas: the formulas; responses are numbered by their places.
        search: what they were found by; their concepts are its own.
        table: the rows of signatures.
        signatures: those of the images that this rank compared.
        evidence: which units are lit in those images.
        file: where to; what it holds is deleted.
    """
    file.clear()
    units = np.array([formula.unit for formula in formulas], np.int64)
    holds, domains = (
        np.array([of_terms(formula.terms) for formula in formulas], bool) for of_terms in (search.holds, search.domain)
    )
    for block, responses in zip(signatures.blocks(), evidence.responses(), strict=True):
        rows, images = table.rows_of(block), int(block.owners[-1]) + 1
        firsts = np.searchsorted(block.owners, np.arange(images))
        present = np.logical_or.reduceat(holds[:, rows], firsts, axis=1)
        strengths = responses.strengths(images, units)
        places, of_image = np.nonzero(domains[:, rows[firsts]] & np.isfinite(strengths))
        hits = present[places, of_image]
        file.add(
            Peaks(block.first, places.astype(np.int32), strengths[places, of_image], hits, of_image.astype(np.int32))
        )
