"""Do maps still find the objects in an image when the network is fooled (Sec. 6.2, Fig. 7)?

Each image is changed until the network is sure of a class that is not in it; then the objects' maps, before and after,
are compared with each other and with where the objects are. The map of the false class is the control: if it agreed as
well, maps would not depend on the class.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from dissection.files.written_files import checksum
from neuronexplain.answer import MethodMap
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.boxes import HIT_IOU, best_iou, intensity
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
    from neuronexplain.evaluation.tables import TableRow
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
    """Maps of the objects in an image, before and after the network is fooled.

    Attributes:
        attack: how the network is fooled.
        seed: chooses the false classes.
        pictures: how many images get a picture.
    """

    attack: Attack = field(default_factory=Attack)
    seed: int = 0
    pictures: int = 4

    name = "adversarial"
    needs = frozenset(("objects", "one crop", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:
        """Probabilities before and after, and what each method's maps say about each object."""
        false = [self._false_class(batch, image) for image in range(len(batch))]
        images = attacked(batch.network, batch.images[:, 0], torch.tensor(false), self.attack)
        fooled = replace(batch, images=images[:, None])
        classes = [[batch.class_of(image, name) for name in truths] for image, truths in enumerate(batch.truths)]
        records: list[Record] = [
            {
                "image": annotated.name,
                "false": false[image],
                "sure": float(fooled.probabilities[image, false[image]]),
                "before": [float(batch.probabilities[image, index]) for index in classes[image]],
                "after": [float(fooled.probabilities[image, index]) for index in classes[image]],
                "moved": self._moved(batch, images, image),
                "maps": {},
                "written": {},
            }
            for image, annotated in enumerate(batch.annotated)
        ]
        for method_index, method in enumerate(methods):
            before = batch.maps(method, classes)
            after = fooled.maps(method, [[*image_classes, false[image]] for image, image_classes in enumerate(classes)])
            for image, truths in enumerate(batch.truths):
                triples = [
                    (map_before, map_after, after[image][-1])
                    for map_before, map_after in zip(before[image], after[image], strict=False)
                ]
                records[image]["maps"][method.name] = [
                    _compared(*triple, truth, signed=method.kind == "signed")
                    for triple, truth in zip(triples, truths.values(), strict=True)
                ]
                if method_index == 0 and triples and batch.start + image < self.pictures:
                    picture = _picture(batch, fooled, image, classes[image][0], false[image], method, triples[0])
                    file = f"{self.name}/{batch.start + image:06}.png"
                    (out / self.name).mkdir(parents=True, exist_ok=True)
                    save_picture(picture, out / file)
                    records[image]["written"][file] = checksum((out / file).read_bytes())
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """Means over the images on which the network was fooled, and which show an object it has a class for."""
        known = [record for record in records if record["before"]]
        fooled = [record for record in known if record["sure"] > self.attack.confidence]
        rows: list[TableRow] = []
        for method in methods:
            columns: dict[str, str | Figure | int] = {"method": method.title}
            for key, scale in (("agreement", 1), ("control", 1), *((key, 100) for key in list(_COLUMNS)[3:7])):
                image_values = [[comparison[key] for comparison in record["maps"][method.name]] for record in fooled]
                columns[key] = _mean(
                    [scale * sum(values) for values in image_values], [len(values) for values in image_values]
                )
            rows.append({**columns, "images": len(fooled)})
        return Report(
            f"Adversarial images, Sec. 6.2: a false class to > {self.attack.confidence:g}, "
            f"no colour moved by more than {255 * self.attack.radius:.3g} of 255",
            _COLUMNS,
            tuple(rows),
            self._notes(known, fooled),
        )

    def _notes(self, known: Sequence[Record], fooled: Sequence[Record]) -> tuple[str, ...]:
        summary = (
            f"{len(fooled)} of {len(known)} images with a known object were brought to > {self.attack.confidence:g}"
        )
        if not fooled:
            return (summary,)
        before, after = (np.median([p for record in fooled for p in record[moment]]) for moment in ("before", "after"))
        moved = 255 * np.mean([record["moved"] for record in fooled])
        return (
            f"{summary}, a colour moved by {moved:.2g} of 255 on average",
            f"the probability of the true objects falls from {before:.2g} to {after:.2g} (medians)",
        )

    def _false_class(self, batch: Batch, image: int) -> int:
        """A class that is not in the image and that the network does not predict."""
        names = batch.truths[image]
        excluded = {index for name in names for index in batch.objects[name]} | {batch.predicted[image]}
        absent = [index for index in range(len(batch.network.classes)) if index not in excluded]
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
    comparison = {
        "agreement": rank_correlation(before.ravel(), after.ravel()),
        "control": rank_correlation(before.ravel(), control.ravel()),
    }
    for moment, values in (("before", before), ("after", after)):
        comparison[f"hit_{moment}"] = float(is_hit(values, truth.region))
        comparison[f"box_{moment}"] = float(best_iou(intensity(values, signed=signed), truth.boxes) >= HIT_IOU)
    return comparison


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
    """A picture like Fig. 7: before, after, what was added, and the maps."""
    photograph, changed = (_shown(shown_batch, image) for shown_batch in (batch, fooled))
    added = _AMPLIFIED * (np.asarray(changed, np.int16) - np.asarray(photograph, np.int16))
    difference = Image.fromarray(np.clip(127 + added, 0, 255).astype(np.uint8))
    tiles: list[Tile] = [
        (photograph, _prediction(batch, image)),
        (difference, f"what was added,\n{_AMPLIFIED} times"),
        (changed, _prediction(fooled, image)),
    ]
    panels = ((batch, index, "before"), (fooled, index, "after"), (fooled, false, "after"))
    for (shown_batch, target, moment), values in zip(panels, maps, strict=True):
        overlaid = method_picture(_shown(shown_batch, image), MethodMap(method, values[None]))
        tiles.append((overlaid, f"{batch.network.classes[target]}, {moment}\n{_percent(shown_batch, image, target)}"))
    return sheet([tiles])


def _shown(batch: Batch, image: int) -> Image.Image:
    return batch.network.preprocessing.picture(batch.images[image, 0])


def _prediction(batch: Batch, image: int) -> str:
    index = batch.predicted[image]
    return f"the network says\n{batch.network.classes[index]}, {_percent(batch, image, index)}"


def _percent(batch: Batch, image: int, index: int) -> str:
    return f"{100 * batch.probabilities[image, index]:.4g}%"
