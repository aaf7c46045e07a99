"""Do the maps of answers point at what the question asks about: Sec. 8.2, with the game of Sec. 8.1.1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
from neuronexplain.evaluation.speaking import asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jaxtyping import Bool, Float32

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.pointed import Trial
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.speaking import AskedQuestion
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method


@dataclass(frozen=True, slots=True, eq=False)
class _Answered:
    """An answer to a question about a thing in the image: where the thing is, the map, and how maps point."""

    image: int
    region: Bool[np.ndarray, "h w"]
    values: Float32[np.ndarray, "h w"]
    trial: Trial


@dataclass(frozen=True)
class AnswerPointing(Protocol):
    """Hits of the maps of answers to questions about a thing, each within the thing's mask.

    The map is that of the network's answer, right or wrong. The control of another question is the mean of the image's
    questions about things elsewhere.

    Attributes:
        others: with how many other pictures each image is compared.
    """

    others: int = 4

    name = "answer-pointing"
    needs = frozenset(("objects", "masks", "methods", "one crop", "answers"))

    @property
    def comparisons(self) -> int:
        """With how many other pictures each image is compared."""
        return self.others

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """How the map of each answer points whose question is about a thing in the image."""
        answered = [one for question in asked(batch) for one in _answered(batch, question, methods)]
        records: list[Record] = [{"image": annotated.name, "trials": []} for annotated in batch.annotated]
        for one in answered:
            rivals = (
                other.values
                for other in answered
                if other.image == one.image and not np.array_equal(other.region, one.region)
            )
            one.trial["outcomes"][RIVAL] = mean_outcome(rivals, one.region)
            records[one.image]["trials"].append(one.trial)
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for each method and each control."""
        return pointing_report(
            "Pointing of answers, Sec. 8.2",
            records,
            methods,
            of_what="questions",
            controls=controls_titled(methods[0], "another question"),
            notes=["the network's answer is explained, right or wrong"],
        )


def _answered(batch: Batch, question: AskedQuestion, methods: Sequence[Method]) -> Iterator[_Answered]:
    network = question.batch.network
    requested = [[answer] for answer in question.batch.predicted]
    regions = [
        truth.region
        if (truth := batch.truths[image].get(batch.annotated[image].questions[number].about or ""))
        else None
        for image, number in question.places
    ]
    if not any(region is not None for region in regions):
        return
    maps = {method.name: question.batch.maps(method, requested) for method in (*methods, CENTRE)}
    activations = activation_maps(question.batch)
    for position, ((image, number), region) in enumerate(zip(question.places, regions, strict=True)):
        if region is None:
            continue
        beside = batch.beside(network, image)
        maps_beside = beside.maps(methods[0], [requested[position]] * len(beside))
        yield _Answered(
            image,
            region,
            maps[methods[0].name][position][0],
            {
                "text": batch.annotated[image].questions[number].text,
                "kind": batch.annotated[image].questions[number].kind,
                "outcomes": {
                    **{name: outcome(of_method[position][0], region) for name, of_method in maps.items()},
                    AREA: chance(region),
                    ACTIVATION: outcome(activations[position], region),
                    BESIDE: mean_outcome((of_picture[0] for of_picture in maps_beside), region),
                },
                "flat": [method.name for method in methods if is_flat(maps[method.name][position][0])],
            },
        )
