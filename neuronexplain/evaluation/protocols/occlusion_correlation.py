"""Rank correlation with occlusion maps over images: Sec. 5.3."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuronexplain.evaluation.tables import Report
from neuronexplain.methods.occlusion import Occlusion
from neuronexplain.metrics.intervals import figure
from neuronexplain.metrics.rank_correlation import PATCH, STRIDE, rank_correlation, under_patches

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method

_COLUMNS = {
    "method": "method",
    "correlation": "rank correlation with occlusion",
    "flat": "flat maps",
    "images": "images",
}
_NOTES = (
    "compared on the grid of the patch's positions: a map's mean under the patch, and how much the logit falls",
    "a flat map has a correlation of 0",
)


@dataclass(frozen=True)
class OcclusionCorrelation(Protocol):
    """Spearman's correlation of maps with how much a grey patch lowers the predicted class's score.

    Attributes:
        patch: side of the patch as a share of the image's shorter side.
        stride: step between its positions, as a share likewise.
    """

    patch: float = PATCH
    stride: float = STRIDE

    name = "occlusion-correlation"
    needs = frozenset(("one crop", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The correlation of each method; all methods share the occlusion maps."""
        side = min(batch.view.size)
        patch, stride = (max(round(share * side), 1) for share in (self.patch, self.stride))
        progress = partial(batch.progress, "occlusion") if batch.progress else None
        patches = Occlusion(patch, stride, batch_size=batch.size, progress=progress)
        places = patches.windows(*batch.view.size)
        classes = torch.tensor(batch.predicted)
        images = batch.images[:, 0].to(batch.network.device)
        falls = patches.falls(batch.network, images, classes, places).double().cpu().numpy()
        records: list[Record] = [
            {"image": annotated.name, "class": batch.predicted[image], "correlations": {}, "flat": []}
            for image, annotated in enumerate(batch.annotated)
        ]
        for method in methods:
            for image, (values,) in enumerate(batch.maps(method, [[index] for index in batch.predicted])):
                mean = under_patches(values, places)
                records[image]["correlations"][method.name] = rank_correlation(mean, falls[image])
                records[image]["flat"] += [method.name] * bool(np.ptp(mean) == 0)
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A table like the last column of Table 2."""
        rows: list[TableRow] = [
            {
                "method": method.title,
                "correlation": figure([record["correlations"][method.name] for record in records]),
                "flat": sum(method.name in record["flat"] for record in records),
                "images": len(records),
            }
            for method in methods
        ]
        return Report(
            f"Rank correlation with occlusion, Sec. 5.3: patch {self.patch:g}, stride {self.stride:g} of the side",
            _COLUMNS,
            tuple(rows),
            _NOTES,
        )
