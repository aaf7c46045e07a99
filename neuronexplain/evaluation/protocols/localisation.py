"""Weakly supervised localisation over images: Sec. 4.1, Tables 1 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.counts import count
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.boxes import BOX_SHARE, HIT_IOU, best_iou, box_ious, intensity
from neuronexplain.metrics.intervals import Figure, figure

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
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

    An image's record holds, for each object in it, its rank among the predictions and its box's IoU. Predicting an
    object that is not in the image is wrong whatever its map, so no map of it is made.

    Attributes:
        share: share of a map's maximum at which it is cut.
        min_iou: least IoU of a right box.
    """

    share: float = BOX_SHARE
    min_iou: float = HIT_IOU

    name = "localisation"

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """Ranks and IoUs."""
        names = [list(truths) for truths in batch.truths]
        classes = [
            [batch.class_of(image, name) for name in names_in_image] for image, names_in_image in enumerate(names)
        ]
        records: list[Record] = []
        height, width = batch.view.size
        for image, names_in_image in enumerate(names):
            ranked = batch.ranked(image) if names_in_image else []
            truths = batch.truths[image]
            whole_ious = {
                name: float(box_ious((0, 0, width, height), truths[name].boxes).max(initial=0))
                for name in names_in_image
            }
            ranks = {name: ranked.index(name) for name in names_in_image}
            records.append({"image": batch.annotated[image].name, "ranks": ranks, "ious": {_WHOLE: whole_ious}})
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
        """A table laid out like Table 1."""
        known = [record for record in records if record["ranks"]]
        classes = {f"class_{top}": _error(known, [_is_class_right(record, top) for record in known]) for top in (1, 5)}
        rows: list[TableRow] = []
        for name, title in [(_WHOLE, _WHOLE), *((method.name, method.title) for method in methods)]:
            boxes = {
                f"box_{top}": _error(known, [self._is_box_right(record, name, top) for record in known])
                for top in (1, 5)
            }
            row: TableRow = {
                "method": title,
                **classes,
                **boxes,
                "known": self._known(known, name),
                "images": len(known),
            }
            rows.append(row)
        return Report(
            f"Localisation, Sec. 4.1: {self.share:.0%} of the maximum, IoU of {self.min_iou:g}; {len(objects)} objects",
            _COLUMNS,
            tuple(rows),
            _left_out(len(records) - len(known)),
        )

    def _is_box_right(self, record: Record, method: str, top: int) -> bool:
        ious: Mapping[str, float] = record["ious"][method]
        return any(bool(rank < top and ious[name] >= self.min_iou) for name, rank in record["ranks"].items())

    def _known(self, records: Sequence[Record], method: str) -> Figure:
        misses = [[iou < self.min_iou for iou in record["ious"][method].values()] for record in records]
        return figure(
            [100 * sum(image_misses) for image_misses in misses], [len(image_misses) for image_misses in misses]
        )


def _is_class_right(record: Record, top: int) -> bool:
    return bool(min(record["ranks"].values()) < top)


def _error(records: Sequence[Record], right: Sequence[bool]) -> Figure:
    return figure(100 * (1 - np.array(right, float))) if records else figure(np.zeros(1), np.zeros(1))


def _left_out(images: int) -> tuple[str, ...]:
    return (f"left out: {count(images, 'image')} without an object that the network has a class for",) if images else ()
