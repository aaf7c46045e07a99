"""Rank correlation of the maps of answers with occlusion maps: Sec. 8.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.evaluation.baselines import CENTRE
from neuronexplain.evaluation.correlated import correlation_report
from neuronexplain.evaluation.protocols.occlusion_correlation import OcclusionCorrelation
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import asked, records_of
from neuronexplain.metrics.rank_correlation import PATCH, STRIDE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method


@dataclass(frozen=True)
class AnswerOcclusion(Protocol):
    """Spearman's correlation of maps with how much a grey patch lowers the score of the network's answer.

    Attributes:
        patch: side of the patch as a share of the image's shorter side.
        stride: step between its positions, as a share likewise.
    """

    patch: float = PATCH
    stride: float = STRIDE

    name = "answer-occlusion"
    needs = frozenset(("one crop", "methods", "answers"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:
        """The correlations of each question; see :class:`OcclusionCorrelation`."""
        correlation = OcclusionCorrelation(self.patch, self.stride)
        records = records_of(batch)
        for question in asked(batch):
            observed = correlation.observe(question.batch, [*methods, CENTRE], out)
            for (image, number), record in zip(question.places, observed, strict=True):
                records[image]["questions"][number] |= {key: record[key] for key in ("correlations", "flat")}
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method, and for the centre."""
        return correlation_report(
            f"Rank correlation with occlusion, Sec. 8.2: patch {self.patch:g}, stride {self.stride:g} of the side",
            records,
            [(method.name, method.title) for method in (*methods, CENTRE)],
            notes=["the network's answer is explained, right or wrong", "a flat map has a correlation of 0"],
        )
