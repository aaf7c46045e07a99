"""Weakly supervised localisation over images: Sec. 4.1, Tables 1 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.boxes import MIN_IOU, SHARE, best_iou, box_ious, intensity
from neuronexplain.metrics.intervals import Figure, figure

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Row
    from neuronexplain.methods import Method

_WHOLE = "(the whole picture)"
_COLUMNS = {
    "method": "method",
    "class_1": "classification error %, top-1",
    "class_5": "top-5",
    "box_1": "localisation error %, top-1",
    "box_5": "top-5",
    "known": "where the class is known",
    "images": "images",
}


@dataclass(frozen=True)
class Localisation(Protocol):
    """Errors of the top-1 and top-5 predictions, in class and in box.

    Kept of an image are, for each object in it, its rank among the predictions and its box's IoU. A prediction of what
    is not in the image is wrong whatever its map is, so no map of it is made.

    Attributes:
        share: of a map's maximum, where it is cut.
        min_iou: from which a box is right.
    """

    share: float = SHARE
    min_iou: float = MIN_IOU

    name = "localisation"

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """Ranks and IoUs."""
        names = [list(truths) for truths in batch.truths]
        classes = [[batch.class_of(image, name) for name in each] for image, each in enumerate(names)]
        records: list[Record] = []
        height, width = batch.view.size
        for image, each in enumerate(names):
            ranked = batch.ranked(image) if each else []
            truths = batch.truths[image]
            whole = {name: float(box_ious((0, 0, width, height), truths[name].boxes).max(initial=0)) for name in each}
            ranks = {name: ranked.index(name) for name in each}
            records.append({"image": batch.annotated[image].name, "ranks": ranks, "ious": {_WHOLE: whole}})
        for method in methods:
            for image, maps in enumerate(batch.maps(method, classes)):
                records[image]["ious"][method.name] = {
                    name: best_iou(
                        intensity(values, signed=method.kind == "signed"), batch.truths[image][name].boxes, self.share
                    )
                    for name, values in zip(names[image], maps, strict=True)
                }
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:
        """Laid out as Table 1."""
        known = [record for record in records if record["ranks"]]
        classes = {f"class_{top}": _error(known, [_is_seen(record, top) for record in known]) for top in (1, 5)}
        rows: list[Row] = []
        for name, title in [(_WHOLE, _WHOLE), *((method.name, method.title) for method in methods)]:
            boxes = {
                f"box_{top}": _error(known, [self._is_found(record, name, top) for record in known]) for top in (1, 5)
            }
            row: Row = {"method": title, **classes, **boxes, "known": self._known(known, name), "images": len(known)}
            rows.append(row)
        return Report(
            f"Localisation, Sec. 4.1: {self.share:.0%} of the maximum, IoU of {self.min_iou:g}; {len(objects)} objects",
            _COLUMNS,
            tuple(rows),
            _left_out(len(records) - len(known)),
        )

    def _is_found(self, record: Record, method: str, top: int) -> bool:
        ious: Mapping[str, float] = record["ious"][method]
        return any(bool(rank < top and ious[name] >= self.min_iou) for name, rank in record["ranks"].items())

    def _known(self, records: Sequence[Record], method: str) -> Figure:
        missed = [[iou < self.min_iou for iou in record["ious"][method].values()] for record in records]
        return figure([100 * sum(each) for each in missed], [len(each) for each in missed])


def _is_seen(record: Record, top: int) -> bool:
    return bool(min(record["ranks"].values()) < top)


def _error(records: Sequence[Record], right: Sequence[bool]) -> Figure:
    return figure(100 * (1 - np.array(right, float))) if records else figure(np.zeros(1), np.zeros(1))


def _left_out(images: int) -> tuple[str, ...]:
    return (f"{images} images without an object that the network has a class for are left out",) if images else ()
