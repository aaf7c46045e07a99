"""Do the named units matter? The score without the most persuasive of them, and without others.

For the predicted class, the named units of the greatest alpha (Eq. 1) are set to zero in the feature map, and the rest
of the network is run on it. What the class's logit loses is compared with what it loses without as many other units,
drawn from all and from the named ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dissection.networks.forward import forward_from
from neuronexplain.evaluation.tables import Report
from neuronexplain.methods.gradcam import alphas
from neuronexplain.methods.targets import of_class
from neuronexplain.metrics.intervals import figure

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float64

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Row
    from neuronexplain.methods import Method

_ROWS = {
    "named": "the most persuasive named units",
    "any named": "other named units, at random",
    "any": "other units, at random",
}
_COLUMNS = {
    "method": "without",
    "logit": "the logit loses",
    "probability": "the probability loses",
    "changed": "other prediction, %",
    "images": "images",
}


@dataclass(frozen=True)
class UnitAblation(Protocol):
    """What the predicted class loses without some units of the layer.

    Attributes:
        named: the units that have a name.
        k: how many are left out.
        draws: random choices for each image.
        seed: of these.
    """

    named: tuple[int, ...] = field(default=())
    k: int = 5
    draws: int = 4
    seed: int = 0

    name = "units"
    needs = frozenset(("one crop",))

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {"named": list(self.named), "k": self.k, "draws": self.draws, "seed": self.seed}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """Losses of logit and probability, and whether the prediction is another, by what is left out."""
        seen = batch.seen
        classes = torch.tensor(batch.predicted)
        importance = alphas(of_class(seen.scores, classes), seen.activation).double().cpu().numpy()
        maps = seen.activation.detach()
        choices = [self._choices(batch.start + image, importance[image]) for image in range(len(batch))]
        left_out = [(image, how, units) for image, own in enumerate(choices) for how, units in own]
        records: list[Record] = [
            {"image": each.name, "class": batch.predicted[image], "losses": {how: [] for how in _ROWS}}
            for image, each in enumerate(batch.annotated)
        ]
        for start in range(0, len(left_out), batch.size):
            part = left_out[start : start + batch.size]
            changed = maps[[image for image, _, _ in part]]
            for row, (_, _, units) in enumerate(part):
                changed[row, units] = 0
            scores = forward_from(batch.network, changed).scores.detach().double().cpu()
            for (image, how, _), logits in zip(part, scores, strict=True):
                records[image]["losses"][how].append(_loss(batch, image, logits))
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each choice of units."""
        rows: list[Row] = []
        for how, title in _ROWS.items():
            means = np.array([np.mean(record["losses"][how], axis=0) for record in records])
            keys = zip(("logit", "probability", "changed"), (1, 1, 100), strict=True)
            figures = {key: figure(scale * means[:, column]) for column, (key, scale) in enumerate(keys)}
            rows.append({"method": title, **figures, "images": len(records)})
        notes = (f"{len(self.named)} units have a name; random choices are the mean of {self.draws} draws",)
        return Report(f"The predicted class without {self.k} units", _COLUMNS, tuple(rows), notes)

    def _choices(self, image: int, importance: Float64[np.ndarray, " units"]) -> list[tuple[str, list[int]]]:
        """Which units are left out of an image's map, by what they are."""
        generator = np.random.default_rng((self.seed, image))
        named = sorted(self.named, key=lambda unit: -importance[unit])
        strongest, others = named[: self.k], named[self.k :]
        rest = sorted(set(range(len(importance))) - set(strongest))
        drawn = [("named", strongest)]
        for how, units in (("any named", others), ("any", rest)):
            count = min(len(strongest), len(units))
            drawn += [(how, generator.choice(units, count, replace=False).tolist()) for _ in range(self.draws)]
        return drawn


def _loss(batch: Batch, image: int, logits: torch.Tensor) -> tuple[float, float, bool]:
    index = batch.predicted[image]
    return (
        float(batch.logits[image, 0, index] - logits[index]),
        float(batch.probabilities[image, index] - batch.network.head.probabilities(logits)[index]),
        int(logits.argmax()) != index,
    )
