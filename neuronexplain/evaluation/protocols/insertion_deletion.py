"""Insertion and deletion over images (Petsiuk et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuronexplain.evaluation.alterations import scores_where_kept
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.faithfulness import STEPS, area_under, blurred, strongest_first
from neuronexplain.metrics.intervals import figure

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float, Float64

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method

_RANDOM = "(at random)"
_COLUMNS = {
    "method": "method",
    "insertion": "insertion, high is good",
    "deletion": "deletion, low is good",
    "images": "images",
}


@dataclass(frozen=True)
class InsertionDeletion(Protocol):
    """Areas under the probability of the predicted class.

    Attributes:
        steps: steps of each curve.
        seed: seed of the random order that methods are compared with.
    """

    steps: int = STEPS
    seed: int = 0

    name = "insertion-deletion"
    needs = frozenset(("one crop", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The two areas of each method."""
        maps_by_image = [{_RANDOM: self._random(batch.start + image, batch.view.size)} for image in range(len(batch))]
        for method in methods:
            for image, (values,) in enumerate(batch.maps(method, [[index] for index in batch.predicted])):
                maps_by_image[image][method.name] = values
        return [
            {
                "image": batch.annotated[image].name,
                "class": batch.predicted[image],
                "areas": {name: self._areas(batch, image, values) for name, values in maps.items()},
            }
            for image, maps in enumerate(maps_by_image)
        ]

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """Mean areas."""
        rows: list[TableRow] = []
        for name, title in [(_RANDOM, _RANDOM), *((method.name, method.title) for method in methods)]:
            areas = {
                key: figure([record["areas"][name][key] for record in records]) for key in ("insertion", "deletion")
            }
            rows.append({"method": title, **areas, "images": len(records)})
        return Report(f"Insertion and deletion (Petsiuk et al. 2018), {self.steps} steps", _COLUMNS, tuple(rows))

    def _areas(self, batch: Batch, image: int, values: Float[np.ndarray, "h w"]) -> dict[str, float]:
        pixels, inserted = batch.images[image, 0], strongest_first(values, self.steps)
        blur = torch.from_numpy(blurred(pixels.numpy()))
        return {
            "insertion": area_under(self._curve(batch, image, blur, inserted)),
            "deletion": area_under(self._curve(batch, image, torch.zeros_like(pixels), ~inserted)),
        }

    def _curve(
        self, batch: Batch, image: int, replacement: torch.Tensor, masks: np.ndarray
    ) -> Float64[np.ndarray, " points"]:
        scores = scores_where_kept(batch.network, batch.images[image, 0], replacement, list(masks), batch.size)
        return batch.network.head.probabilities(scores)[:, batch.predicted[image]].numpy()

    def _random(self, image: int, size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
        return np.random.default_rng((self.seed, image)).random(size)
