"""Does a network get staged scenes right, and does it look at the thing or at the place (Sec. 6.3)?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dissection.scenes.staged import Staging
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.energy_ratio import share_inside
from neuronexplain.metrics.intervals import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.methods import Method
    from neuronexplain.metrics.intervals import Figure

COLUMNS = {
    "method": "method",
    "accuracy": "accuracy %",
    "usual": "in its usual place",
    "unusual": "in the other",
    "mass": "% of the map on the thing",
    "area": "% of the picture it covers",
    "images": "images",
}


@dataclass(frozen=True)
class Attention(Protocol):
    """Accuracy, and the share of the predicted class's map that is on the thing.

    Attributes:
        staging: how the scenes were staged; the first thing's usual place is the first, the second's the second.
    """

    staging: Staging = field(default_factory=Staging)

    name = "attention"
    needs = frozenset(("objects", "masks", "one crop", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """For each scene: whether its place is usual, whether the prediction is right, and where the map is."""
        things = [next(iter(truths)) for truths in batch.truths]
        records: list[Record] = [
            {
                "image": batch.annotated[image].name,
                "usual": self._is_usual(batch.start + image),
                "right": batch.network.classes[batch.predicted[image]] == thing,
                "area": float(batch.truths[image][thing].region.mean()),
                "mass": {},
            }
            for image, thing in enumerate(things)
        ]
        for method in methods:
            for image, (values,) in enumerate(batch.maps(method, [[index] for index in batch.predicted])):
                records[image]["mass"][method.name] = share_inside(values, batch.truths[image][things[image]].region)
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method."""
        rows = tuple({"method": method.title, **figures_of(columns_of(records, method.name))} for method in methods)
        return Report("Staged scenes, Sec. 6.3", COLUMNS, rows)

    def _is_usual(self, index: int) -> bool:
        return self.staging.place(index) == self.staging.places[index % 2]


AttentionSums = dict[str, tuple[np.ndarray, np.ndarray]]
"""Each figure's numerators and denominators, by image."""


def columns_of(records: Sequence[Record], method: str) -> AttentionSums:
    """The figures' numerators and denominators, image by image."""
    right, usual = (np.array([record[key] for record in records], float) for key in ("right", "usual"))
    masses = [record["mass"][method] for record in records]
    has_mass = np.array([mass is not None for mass in masses], float)
    return {
        "accuracy": (100 * right, np.ones_like(right)),
        "usual": (100 * right * usual, usual),
        "unusual": (100 * right * (1 - usual), 1 - usual),
        "mass": (100 * np.array([mass or 0.0 for mass in masses]), has_mass),
        "area": (100 * np.array([record["area"] for record in records]), np.ones_like(right)),
    }


def figures_of(columns: AttentionSums) -> Mapping[str, Any]:
    """The figures, each over all images, and the number of images."""
    figures: dict[str, Figure | int] = {
        key: figure(numerators, denominators) for key, (numerators, denominators) in columns.items()
    }
    return figures | {"images": images_of(columns)}


def images_of(columns: AttentionSums) -> int:
    """The number of images."""
    return len(next(iter(columns.values()))[0])
