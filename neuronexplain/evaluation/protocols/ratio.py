"""The ratio inside/outside over images: Sec. 8.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.evaluation.framing import filled
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.energy_ratio import inside_outside, quotient
from neuronexplain.metrics.intervals import figure

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method

_COLUMNS = {"method": "method", "ratio": "inside / outside", "without": "without a ratio", "images": "images"}


@dataclass(frozen=True)
class Ratio(Protocol):
    """Means of an object's map inside and outside the object's boxes."""

    name = "ratio"

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The ratio of each object in an image; None if the map is 0 outside, or a side has no pixels."""
        names = [list(truths) for truths in batch.truths]
        classes = [
            [batch.class_of(image, name) for name in names_in_image] for image, names_in_image in enumerate(names)
        ]
        records: list[Record] = [{"image": annotated.name, "ratios": {}} for annotated in batch.annotated]
        for method in methods:
            for image, maps in enumerate(batch.maps(method, classes)):
                boxes = [filled(batch.truths[image][name].boxes, batch.view.size) for name in names[image]]
                records[image]["ratios"][method.name] = {
                    name: quotient(*inside_outside(values, region))
                    for name, values, region in zip(names[image], maps, boxes, strict=True)
                }
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """The mean ratio of all objects in all images."""
        rows: list[TableRow] = []
        for method in methods:
            ratios = [list(record["ratios"][method.name].values()) for record in records]
            defined = [[ratio for ratio in image_ratios if ratio is not None] for image_ratios in ratios]
            rows.append(
                {
                    "method": method.title,
                    "ratio": figure(
                        [sum(image_ratios) for image_ratios in defined], [len(image_ratios) for image_ratios in defined]
                    ),
                    "without": sum(map(len, ratios)) - sum(map(len, defined)),
                    "images": sum(map(bool, defined)),
                }
            )
        return Report("Mean activation inside by outside of the boxes, Sec. 8.1", _COLUMNS, tuple(rows))
