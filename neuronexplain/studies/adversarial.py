"""Is what is in an image still found when the network is fooled about it (Sec. 6.2, Fig. 7)?

Each image is changed until the network is sure of a class that is not in it; then the maps of what is in it, before and
after, are compared: with each other, and with where it is. What a map of the class that the network was talked into
shows is the control: one that agreed as well would mean that maps do not depend on the class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.tables import Report
from neuronexplain.explanation import MethodMap
from neuronexplain.metrics.boxes import MIN_IOU, best_iou, intensity
from neuronexplain.metrics.intervals import Figure, figure
from neuronexplain.metrics.pointing_game import is_hit
from neuronexplain.metrics.rank_correlation import rank_correlation
from neuronexplain.pictures.overlay import method_picture, save_picture
from neuronexplain.pictures.tiles import sheet

from .attack import Attack, attacked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Float32
    from torch import Tensor

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.framing import Truth
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Row
    from neuronexplain.methods import Method
    from neuronexplain.pictures.tiles import Tile

_AMPLIFIED = 16
_COLUMNS = {
    "method": "method",
    "agreement": "rank correlation, before and after",
    "control": "with the map of the false class",
    "hit_before": "points at it, %: before",
    "hit_after": "after",
    "box_before": "box is right, %: before",
    "box_after": "after",
    "images": "images",
}


@dataclass(frozen=True)
class Adversarial(Protocol):
    """Maps of what is in an image, before and after the network is fooled.

    Attributes:
        attack: how it is fooled.
        seed: chooses the false classes.
        pictures: of how many images a picture is drawn.
    """

    attack: Attack = field(default_factory=Attack)
    seed: int = 0
    pictures: int = 4

    name = "adversarial"
    needs = frozenset(("objects", "one crop", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:
        """Probabilities before and after, and what each method's maps say of each object."""
        false = [self._false_class(batch, image) for image in range(len(batch))]
        images = attacked(batch.network, batch.images[:, 0], torch.tensor(false), self.attack)
        fooled = replace(batch, images=images[:, None])
        classes = [[batch.class_of(image, name) for name in each] for image, each in enumerate(batch.truths)]
        records: list[Record] = [
            {
                "image": each.name,
                "false": false[image],
                "sure": float(fooled.probabilities[image, false[image]]),
                "before": [float(batch.probabilities[image, index]) for index in classes[image]],
                "after": [float(fooled.probabilities[image, index]) for index in classes[image]],
                "moved": self._moved(batch, images, image),
                "maps": {},
            }
            for image, each in enumerate(batch.annotated)
        ]
        for turn, method in enumerate(methods):
            before = batch.maps(method, classes)
            after = fooled.maps(method, [[*own, false[image]] for image, own in enumerate(classes)])
            for image, truths in enumerate(batch.truths):
                triples = [
                    (one, other, after[image][-1]) for one, other in zip(before[image], after[image], strict=False)
                ]
                records[image]["maps"][method.name] = [
                    _compared(*triple, truth, signed=method.kind == "signed")
                    for triple, truth in zip(triples, truths.values(), strict=True)
                ]
                if turn == 0 and triples and batch.start + image < self.pictures:
                    picture = _picture(batch, fooled, image, classes[image][0], false[image], method, triples[0])
                    file = out / self.name / f"{batch.start + image:06}.png"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    save_picture(picture, file)
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """Over the images where the network was fooled, and that show something it has a class for."""
        known = [record for record in records if record["before"]]
        fooled = [record for record in known if record["sure"] > self.attack.confidence]
        rows: list[Row] = []
        for method in methods:
            columns: dict[str, str | Figure | int] = {"method": method.title}
            for key, scale in (("agreement", 1), ("control", 1), *((key, 100) for key in list(_COLUMNS)[3:7])):
                found = [[each[key] for each in record["maps"][method.name]] for record in fooled]
                columns[key] = _mean([scale * sum(each) for each in found], [len(each) for each in found])
            rows.append({**columns, "images": len(fooled)})
        return Report(
            f"Adversarial images, Sec. 6.2: a false class to > {self.attack.confidence:g}, "
            f"no colour moved by more than {255 * self.attack.radius:.3g} of 255",
            _COLUMNS,
            tuple(rows),
            self._notes(known, fooled),
        )

    def _notes(self, known: Sequence[Record], fooled: Sequence[Record]) -> tuple[str, ...]:
        told = f"{len(fooled)} of {len(known)} images with a known object were brought to > {self.attack.confidence:g}"
        if not fooled:
            return (told,)
        before, after = (np.median([p for record in fooled for p in record[when]]) for when in ("before", "after"))
        moved = 255 * np.mean([record["moved"] for record in fooled])
        return (
            f"{told}, a colour moved by {moved:.2g} of 255 on average",
            f"the probability of what is there falls from {before:.2g} to {after:.2g} (medians)",
        )

    def _false_class(self, batch: Batch, image: int) -> int:
        """A class that means nothing that is in the image, and that the network does not predict."""
        names = batch.truths[image]
        there = {index for name in names for index in batch.objects[name]} | {batch.predicted[image]}
        absent = [index for index in range(len(batch.network.classes)) if index not in there]
        if not absent:
            return batch.predicted[image]
        return int(np.random.default_rng((self.seed, batch.start + image)).choice(absent))

    def _moved(self, batch: Batch, images: Float32[Tensor, "images channels h w"], image: int) -> float:
        std = torch.tensor(batch.network.preprocessing.std).view(-1, 1, 1)
        return float(((images[image] - batch.images[image, 0]) * std).abs().mean())


def _compared(
    before: Float32[np.ndarray, "h w"],
    after: Float32[np.ndarray, "h w"],
    control: Float32[np.ndarray, "h w"],
    truth: Truth,
    *,
    signed: bool,
) -> dict[str, float]:
    found = {
        "agreement": rank_correlation(before.ravel(), after.ravel()),
        "control": rank_correlation(before.ravel(), control.ravel()),
    }
    for when, values in (("before", before), ("after", after)):
        found[f"hit_{when}"] = float(is_hit(values, truth.region))
        found[f"box_{when}"] = float(best_iou(intensity(values, signed=signed), truth.boxes) >= MIN_IOU)
    return found


def _mean(sums: Sequence[float], counts: Sequence[int]) -> Figure:
    return figure(sums, counts) if counts else figure([0.0], [0.0])


def _picture(
    batch: Batch,
    fooled: Batch,
    image: int,
    index: int,
    false: int,
    method: Method,
    maps: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Image.Image:
    """As Fig. 7: before, after, what was added, and the maps."""
    photograph, changed = (_shown(each, image) for each in (batch, fooled))
    added = _AMPLIFIED * (np.asarray(changed, np.int16) - np.asarray(photograph, np.int16))
    difference = Image.fromarray(np.clip(127 + added, 0, 255).astype(np.uint8))
    tiles: list[Tile] = [
        (photograph, _said(batch, image)),
        (difference, f"what was added,\n{_AMPLIFIED} times"),
        (changed, _said(fooled, image)),
    ]
    wanted = ((batch, index, "before"), (fooled, index, "after"), (fooled, false, "after"))
    for (given, target, when), values in zip(wanted, maps, strict=True):
        lay = method_picture(_shown(given, image), MethodMap(method, values[None]))
        tiles.append((lay, f"{batch.network.classes[target]}, {when}\n{_percent(given, image, target)}"))
    return sheet([tiles])


def _shown(batch: Batch, image: int) -> Image.Image:
    return batch.network.preprocessing.picture(batch.images[image, 0])


def _said(batch: Batch, image: int) -> str:
    index = batch.predicted[image]
    return f"the network says\n{batch.network.classes[index]}, {_percent(batch, image, index)}"


def _percent(batch: Batch, image: int, index: int) -> str:
    return f"{100 * batch.probabilities[image, index]:.4g}%"
