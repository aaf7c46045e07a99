"""The ratio inside/outside of what a caption describes: Sec. 8.1, "Comparison to dense captioning"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronexplain.counts import count
from neuronexplain.evaluation.baselines import CENTRE, WHOLE
from neuronexplain.evaluation.framing import filled
from neuronexplain.evaluation.pointed import is_flat
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import captions_of, judges_of
from neuronexplain.evaluation.tables import Report
from neuronexplain.methods.targets import log_likelihood
from neuronexplain.metrics.energy_ratio import inside_outside
from neuronexplain.metrics.intervals import figure, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.framing import Truth
    from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import CaptionSource

_COLUMNS = {
    "method": "method",
    "mean": "inside / outside, mean",
    "median": "median",
    "endless": "nothing outside",
    "flat": "flat maps",
    "descriptions": "descriptions",
    "images": "images",
}
Description = dict[str, list[float] | None]
"""The means of a map inside and outside the boxes, by method; None if the map is flat."""


@dataclass(frozen=True)
class CaptionRatio(Protocol):
    """Means of maps inside and outside the boxes of what words describe.

    Words of a caption that mean the same place describe it together, as "a red car" does. Their map is that of the sum
    of their log-probabilities, given the picture and the words before them.

    Attributes:
        words: which words mean which objects.
        captions: whose captions are explained.
    """

    words: WordTable
    captions: CaptionSource = "written"

    name = "caption-ratio"
    needs = frozenset(("objects", "methods", "one crop", "captions"))

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {"words": self.words.digest, "captions": self.captions}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The ratio of each description of something in the image, by method."""
        records: list[Record] = []
        for image, captions in enumerate(captions_of(batch, self.captions)):
            judges = judges_of(batch, captions)
            descriptions = [
                _means([*methods, CENTRE], alone, places, boxes)
                for alone in (batch.part(judge, [image]) for judge in judges)
                for places, boxes in _descriptions(self.words.meanings(alone.network.classes), batch, image)
            ]
            unknown = len(captions) - len(judges)
            records.append({"image": batch.annotated[image].name, "descriptions": descriptions, "unknown": unknown})
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method, for the centre, and for the whole picture."""
        descriptions = [record["descriptions"] for record in records]
        images: TableRow = {"descriptions": sum(map(len, descriptions)), "images": sum(map(bool, descriptions))}
        rows: list[TableRow] = [{**_row(method, descriptions), **images} for method in (*methods, CENTRE)]
        rows.append({"method": WHOLE.title, "mean": 1.0, "median": 1.0, **images})
        unknown = sum(record["unknown"] for record in records)
        notes = ["a flat map has a ratio of 1; the mean leaves out maps that are 0 outside, the median does not"]
        notes += [f"left out: {count(unknown, 'caption')} with a word that the network does not know"] * bool(unknown)
        return Report("Inside by outside of the boxes of what is described, Sec. 8.1", _COLUMNS, tuple(rows), (*notes,))


def _descriptions(
    meanings: Sequence[str | None], batch: Batch, image: int
) -> list[tuple[list[int], Bool[np.ndarray, "h w"]]]:
    """The places of the words that describe each thing in the image, and the pixels in its boxes.

    A thing whose boxes hold all of the picture's pixels is left out: nothing is outside.
    """
    described: list[tuple[Truth, list[int]]] = []
    for place, name in enumerate(meanings):
        truth = batch.truths[image].get(name) if name is not None else None
        if truth is None:
            continue
        same = next((places for other, places in described if np.array_equal(other.boxes, truth.boxes)), None)
        if same is None:
            described.append((truth, [place]))
        else:
            same.append(place)
    filled_boxes = [(places, filled(truth.boxes, batch.view.size)) for truth, places in described]
    return [(places, boxes) for places, boxes in filled_boxes if boxes.any() and not boxes.all()]


def _means(
    methods: Sequence[Method], alone: Batch, places: Sequence[int], boxes: Bool[np.ndarray, "h w"]
) -> Description:
    maps = {method.name: alone.map_of(method, log_likelihood(*places)) for method in methods}
    return {name: None if is_flat(values) else [*inside_outside(values, boxes)] for name, values in maps.items()}


def _row(method: Method, descriptions: Sequence[Sequence[Description]]) -> TableRow:
    ratios = [[_ratio(description[method.name]) for description in of_image] for of_image in descriptions]
    finite = [[ratio for ratio in of_image if ratio < math.inf] for of_image in ratios]
    return {
        "method": method.title,
        "mean": figure([sum(of_image) for of_image in finite], [len(of_image) for of_image in finite]),
        "median": quantile(ratios, 0.5),
        "endless": sum(map(len, ratios)) - sum(map(len, finite)),
        "flat": sum(description[method.name] is None for of_image in descriptions for description in of_image),
    }


def _ratio(means: list[float] | None) -> float:
    """A map's ratio; 1 if nothing is in the map, and without bounds if nothing is outside."""
    inside, outside = means or [0.0, 0.0]
    return inside / outside if outside > 0 else math.inf if inside > 0 else 1.0
