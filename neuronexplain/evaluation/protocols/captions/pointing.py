"""Do the words of a caption point at what they mean: Sec. 8.1.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuronexplain.counts import count
from neuronexplain.evaluation.baselines import CENTRE
from neuronexplain.evaluation.pointed import (
    ACTIVATION,
    AREA,
    BESIDE,
    RIVAL,
    activation_maps,
    chance,
    controls_titled,
    is_flat,
    mean_outcome,
    outcome,
    pointing_report,
)
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import captions_of, judges_of
from neuronexplain.methods.targets import log_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool

    from dissection.networks.network import Network
    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.pointed import Trial
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import CaptionSource

_CAPTION = "caption"


@dataclass(frozen=True)
class CaptionPointing(Protocol):
    """Hits of the maps of words, each within the mask of the object that it means.

    A word's map is that of its log-odds, given the picture and the words before it. The control of another word is the
    mean of those words of the caption that mean something elsewhere; where there are none, of those that mean nothing.

    Attributes:
        words: which words mean which objects.
        captions: whose captions are explained.
        others: with how many other pictures each image is compared.
    """

    words: WordTable
    captions: CaptionSource = "written"
    others: int = 4

    name = "caption-pointing"
    needs = frozenset(("objects", "masks", "methods", "one crop", "captions"))

    @property
    def comparisons(self) -> int:
        """With how many other pictures each image is compared."""
        return self.others

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {"words": self.words.digest, "captions": self.captions, "others": self.others}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """How the map of each word points that means an object in the image."""
        records: list[Record] = []
        for image, captions in enumerate(captions_of(batch, self.captions)):
            judges = judges_of(batch, captions)
            trials = [trial for judge in judges for trial in self._trials(batch, image, judge, methods)]
            unknown = len(captions) - len(judges)
            records.append({"image": batch.annotated[image].name, "trials": trials, "unknown": unknown})
        return records

    def _trials(self, batch: Batch, image: int, judge: Network, methods: Sequence[Method]) -> list[Trial]:
        meanings = self.words.meanings(judge.classes)
        regions = {
            place: batch.truths[image][name].region
            for place, name in enumerate(meanings)
            if name is not None and name in batch.truths[image]
        }
        if not regions:
            return []
        alone, places = batch.part(judge, [image]), list(regions)
        control, *further = methods
        maps_of_all = alone.maps(control, [range(len(judge.classes))])[0]
        maps = {method.name: dict(zip(places, alone.maps(method, [places])[0], strict=True)) for method in further}
        maps |= {control.name: dict(enumerate(maps_of_all))}
        (centre,) = alone.maps(CENTRE, [[0]])[0]
        (activation,) = activation_maps(alone)
        caption = alone.map_of(control, log_likelihood(*range(len(judge.classes))))
        beside = batch.beside(judge, image)
        maps_beside = beside.maps(control, [places] * len(beside))
        return [
            {
                "text": judge.classes[place],
                "kind": self.words.kinds_of(judge.classes)[place],
                "outcomes": {
                    **{method.name: outcome(maps[method.name][place], region) for method in methods},
                    AREA: chance(region),
                    CENTRE.name: outcome(centre, region),
                    ACTIVATION: outcome(activation, region),
                    RIVAL: mean_outcome((maps_of_all[rival] for rival in _rivals(place, meanings, regions)), region),
                    _CAPTION: outcome(caption, region),
                    BESIDE: mean_outcome((of_picture[position] for of_picture in maps_beside), region),
                },
                "flat": [method.name for method in methods if is_flat(maps[method.name][place])],
            }
            for position, (place, region) in enumerate(regions.items())
        ]

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method and each control."""
        unknown = sum(record["unknown"] for record in records)
        return pointing_report(
            "Pointing of words, Sec. 8.1.1: " + _WHOSE[self.captions],
            records,
            methods,
            of_what="words",
            controls=[*controls_titled(methods[0], "another word"), (_CAPTION, f"({methods[0].title} of the caption)")],
            notes=[f"left out: {count(unknown, 'caption')} with a word that the network does not know"] * bool(unknown),
        )


_WHOSE = {"written": "the network's captions", "reference": "captions by people"}


def _rivals(place: int, meanings: Sequence[str | None], regions: dict[int, Bool[np.ndarray, "h w"]]) -> list[int]:
    """The words that should point elsewhere than a word does; if none of them means anything, the others."""
    elsewhere = [
        rival
        for rival, meaning in enumerate(meanings)
        if meaning not in {None, meanings[place]}
        and not (rival in regions and np.array_equal(regions[rival], regions[place]))
    ]
    return elsewhere or [rival for rival, meaning in enumerate(meanings) if meaning is None]
