"""The pointing game over images: Sec. 4.3 and App. D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.evaluation.baselines import CENTRE, NOTHING
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import Figure, figure
from neuronexplain.metrics.pointing_game import Claims, halves, is_hit, within

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Bool

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method

_TOP = 5
_COLUMNS = {
    "method": "method",
    "accuracy": "accuracy %, mean of objects",
    "all": "of all trials",
    "reject": f"top-{_TOP} with rejection (Sec. 4.3)",
    "apart": "present or absent (App. D)",
    "threshold": "threshold",
    "images": "images",
}


@dataclass(frozen=True)
class Pointing(Protocol):
    """Hits of the maps of objects in the image, and of the top-5 predictions, which may be rejected.

    Attributes:
        tolerance: pixels of the view by which a point may miss.
        seed: seed of the two halves of the images, one to choose the threshold on, one to report on.
    """

    tolerance: int = 0
    seed: int = 0

    name = "pointing"

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """For each object in an image and each prediction: whether its map points at it, and how strong the map is."""
        near = [
            {name: within(truth.region, self.tolerance) for name, truth in truths.items()} for truths in batch.truths
        ]
        top = [batch.ranked(image)[:_TOP] for image in range(len(batch))]
        queried = [list(dict.fromkeys([*near[image], *top[image]])) for image in range(len(batch))]
        classes = [
            [batch.class_of(image, name) for name in names_in_image] for image, names_in_image in enumerate(queried)
        ]
        records: list[Record] = [
            {
                "image": batch.annotated[image].name,
                "top": top[image],
                "chance": {name: float(region.mean()) for name, region in near[image].items()},
                "centre": {name: _has_centre(region) for name, region in near[image].items()},
                "hits": {},
                "peaks": {},
            }
            for image in range(len(batch))
        ]
        for method in methods:
            for image, maps in enumerate(batch.maps(method, classes)):
                map_of = dict(zip(queried[image], maps, strict=True))
                hits = {name: is_hit(map_of[name], region) for name, region in near[image].items()}
                records[image]["hits"][method.name] = hits
                records[image]["peaks"][method.name] = [float(map_of[name].max()) for name in top[image]]
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:
        """A row for each method, for pointing at random and at the centre, and for rejecting everything."""
        names = list(objects)
        image_count = {"images": sum(bool(record["chance"]) for record in records)}
        chance = _accuracies([record["chance"] for record in records], names)
        centre = _accuracies([record["centre"] for record in records], names)
        centred = [record | _at_the_centre(record) for record in records]
        rows: list[TableRow] = [
            {"method": "(at random)", **chance, **image_count},
            {"method": CENTRE.title, **centre, **self._with_rejection(centred, CENTRE.name), **image_count},
            {"method": NOTHING.title, **_rejecting(records, self._chosen(len(records)))},
        ]
        for method in methods:
            hits = _accuracies([record["hits"][method.name] for record in records], names)
            rows.append({"method": method.title, **hits, **self._with_rejection(records, method.name), **image_count})
        title = f"Pointing game, Sec. 4.3 and App. D: {len(objects)} objects"
        reach = f", {self.tolerance} pixels of tolerance" if self.tolerance else ""
        notes = (
            "thresholds are chosen on a random half of the images and measured on the other half",
            "a threshold of inf rejects everything",
        )
        return Report(title + reach, _COLUMNS, tuple(rows), notes)

    def _with_rejection(self, records: Sequence[Record], method: str) -> dict[str, Figure | float]:
        chosen = self._chosen(len(records))
        threshold = _claims(
            [record for record, is_chosen in zip(records, chosen, strict=True) if is_chosen], method
        ).best_threshold()
        reported = [
            _claims([record], method) for record, is_chosen in zip(records, chosen, strict=True) if not is_chosen
        ]
        counts = [len(claims.peaks) for claims in reported]
        return {
            "reject": figure([100 * claims.hits(threshold).sum() for claims in reported], counts),
            "apart": figure([100 * claims.told_apart(threshold).sum() for claims in reported], counts),
            "threshold": threshold,
        }

    def _chosen(self, images: int) -> Bool[np.ndarray, " images"]:
        return halves(images, self.seed)


def _accuracies(image_hits: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[str, Figure]:
    """Hits by trials, as a mean over objects and over all trials; ``image_hits`` holds each image's hits by object."""
    hits = np.array([[100 * hit_of.get(name, 0) for name in names] for hit_of in image_hits], float)
    trials = np.array([[name in hit_of for name in names] for hit_of in image_hits], float)
    return {"accuracy": figure(hits, trials), "all": figure(hits.sum(1), trials.sum(1))}


def _at_the_centre(record: Record) -> Record:
    """What a map records that always points at the centre, and is as strong for one class as for another."""
    return {"hits": {CENTRE.name: record["centre"]}, "peaks": {CENTRE.name: [1.0] * len(record["top"])}}


def _claims(records: Sequence[Record], method: str) -> Claims:
    claims = [
        (peak, name in record["chance"], record["hits"][method].get(name, False))
        for record in records
        for name, peak in zip(record["top"], record["peaks"][method], strict=True)
    ]
    peaks, present, pointed = zip(*claims, strict=True) if claims else ((), (), ())
    return Claims(np.array(peaks, float), np.array(present, bool), np.array(pointed, bool))


def _rejecting(records: Sequence[Record], chosen: Bool[np.ndarray, " images"]) -> dict[str, Figure]:
    reported = [record for record, is_chosen in zip(records, chosen, strict=True) if not is_chosen]
    absent = [100 * sum(name not in record["chance"] for name in record["top"]) for record in reported]
    correct = figure(absent, [len(record["top"]) for record in reported])
    return {"reject": correct, "apart": correct}


def _has_centre(region: Bool[np.ndarray, "h w"]) -> bool:
    return bool(region[region.shape[0] // 2, region.shape[1] // 2])
