"""Do the named units matter? The score without the most persuasive of them, and without others.

For the predicted class, the named units with the greatest alpha (Eq. 1) are set to zero in the feature map, and the
rest of the network is run on it. The fall of the class's logit is compared with its fall without as many other units,
drawn from all units and from the named ones.
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
    from neuronexplain.evaluation.tables import TableRow
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
        k: how many units are left out.
        draws: random choices for each image.
        seed: seed of the random choices.
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
        """Losses of logit and probability, and whether the prediction changes, by which units are left out."""
        forward_pass = batch.seen
        classes = torch.tensor(batch.predicted)
        importance = alphas(of_class(forward_pass.scores, classes), forward_pass.activation).double().cpu().numpy()
        maps = forward_pass.activation.detach()
        choices = [self._choices(batch.start + image, importance[image]) for image in range(len(batch))]
        left_out = [
            (image, kind, units) for image, image_choices in enumerate(choices) for kind, units in image_choices
        ]
        records: list[Record] = [
            {"image": annotated.name, "class": batch.predicted[image], "losses": {kind: [] for kind in _ROWS}}
            for image, annotated in enumerate(batch.annotated)
        ]
        for start in range(0, len(left_out), batch.size):
            part = left_out[start : start + batch.size]
            changed = maps[[image for image, _, _ in part]]
            for row, (_, _, units) in enumerate(part):
                changed[row, units] = 0
            scores = forward_from(batch.network, changed).scores.detach().double().cpu()
            for (image, kind, _), logits in zip(part, scores, strict=True):
                records[image]["losses"][kind].append(_loss(batch, image, logits))
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each choice of units."""
        rows: list[TableRow] = []
        for kind, title in _ROWS.items():
            means = np.array([np.mean(record["losses"][kind], axis=0) for record in records])
            keys = zip(("logit", "probability", "changed"), (1, 1, 100), strict=True)
            figures = {key: figure(scale * means[:, column]) for column, (key, scale) in enumerate(keys)}
            rows.append({"method": title, **figures, "images": len(records)})
        notes = (f"{len(self.named)} units have a name; random choices are the mean of {self.draws} draws",)
        return Report(f"The predicted class without {self.k} units", _COLUMNS, tuple(rows), notes)

    def _choices(self, image: int, importance: Float64[np.ndarray, " units"]) -> list[tuple[str, list[int]]]:
        """Which units are left out of an image's map, each choice with its kind."""
        generator = np.random.default_rng((self.seed, image))
        named = sorted(self.named, key=lambda unit: -importance[unit])
        strongest, other_named = named[: self.k], named[self.k :]
        other_units = sorted(set(range(len(importance))) - set(strongest))
        choices = [("named", strongest)]
        for kind, units in (("any named", other_named), ("any", other_units)):
            count = min(len(strongest), len(units))
            choices += [(kind, generator.choice(units, count, replace=False).tolist()) for _ in range(self.draws)]
        return choices


def _loss(batch: Batch, image: int, logits: torch.Tensor) -> tuple[float, float, bool]:
    index = batch.predicted[image]
    return (
        float(batch.logits[image, 0, index] - logits[index]),
        float(batch.probabilities[image, index] - batch.network.head.probabilities(logits)[index]),
        int(logits.argmax()) != index,
    )
