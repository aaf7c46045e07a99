"""Measures photograph by photograph how much a class leans on a concept; resumes where an earlier process stopped."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.errors import require_finite
from dissection.networks.passes import Work, resumable_pass
from dissection.networks.reruns import Reruns
from neuronexplain.evaluation.alterations import scores_where_kept
from neuronexplain.evaluation.framing import Framing
from neuronexplain.evaluation.ground_truth.labelled_concepts import category_of
from neuronexplain.evaluation.record_journal import open_journal
from neuronexplain.explainer import require_finite_scores
from neuronexplain.methods.gradcam import effects, lit_contributions, mean
from neuronexplain.methods.targets import of_class
from neuronexplain.methods.trace import gradients
from neuronexplain.metrics.like_units import like_units

from .covering import COVERS, elsewhere_often, has_room
from .leaning_records import Covered, LeaningRecord, Silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any

    from jaxtyping import Bool, Float, Float32, Float64
    from torch import Tensor

    from dissection.execution.settings import Execution
    from dissection.networks.reruns import NotedPass
    from neuronexplain.evaluation.record_journal import Record, RecordJournal

    from .covering import AuditDraws
    from .named_network import Leaning, NamedNetwork
    from .photographs import AuditedPhotographs, ShownPhotograph


def measured(
    leaning: Leaning,
    named: NamedNetwork,
    photographs: AuditedPhotographs,
    draws: AuditDraws,
    *,
    heading: Mapping[str, Any],
    journal: Path | None,
    execution: Execution,
    fresh: bool = False,
) -> list[LeaningRecord]:
    """The records of all photographs, in order.

    Args:
        leaning: what is asked.
        named: the network, with names for its units.
        photographs: the photographs.
        draws: what is random.
        heading: what else the records depend on, as JSON values.
        journal: the file that keeps them, from which the same audit is resumed; ``None`` keeps none.
        execution: how the work is run, in one process.
        fresh: start over.

    Raises:
        ActivationError: if a feature map holds a NaN or an infinity.
        CheckpointError: if the journal is of another audit.
        ConceptDataError: if labels cannot be read.
        NetworkError: if a score is not finite.
        PhotographError: if a file is not a photograph.
    """
    observation = _Observation(leaning, named, photographs.things, draws, execution.batch_size)
    work = Work(_Reader(photographs, observation.framing), list, observation.start)
    stage = f"{leaning.label}: {leaning.concept.spoken}"
    whole = {"images": len(photographs), "batch size": execution.batch_size, **heading}
    keeping: AbstractContextManager[_Kept | RecordJournal] = (
        nullcontext(_Kept())
        if journal is None
        else open_journal(journal, whole, batch_size=execution.batch_size, fresh=fresh)
    )
    with keeping as results:
        execution.report(stage, len(results.records), len(photographs))
        for _ in resumable_pass(len(photographs), work, results, execution, stage=stage):
            pass
        return list(map(LeaningRecord.from_json, results.records))


@dataclass(frozen=True, slots=True)
class _Kept:
    """Keeps records in memory alone."""

    records: list[Record] = field(default_factory=list)
    done: int = 0

    def add(self, _batch: range, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def save(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads a photograph, and what the network sees of it; can be sent to another process."""

    photographs: AuditedPhotographs
    framing: Framing

    def __call__(self, index: int) -> tuple[ShownPhotograph, Float32[Tensor, "channels h w"]]:
        shown = self.photographs.read(index)
        return shown, self.framing.tensors(shown.photograph)[0]


class _Observation:
    """Makes the records of a batch."""

    def __init__(
        self, leaning: Leaning, named: NamedNetwork, things: frozenset[str], draws: AuditDraws, size: int
    ) -> None:
        self._leaning = leaning
        self._network = network = named.network
        self._thresholds = torch.from_numpy(named.thresholds).float()
        self._things = things
        self._draws = draws
        self._size = size
        self._reruns = Reruns(network)
        self.framing = Framing.of(network.preprocessing, "centre")

    def start(
        self, images: range, items: Sequence[tuple[ShownPhotograph, Float32[Tensor, "channels h w"]]]
    ) -> Callable[[], list[Record]]:
        return partial(self._observe, images, items)

    def _observe(
        self, images: range, items: Sequence[tuple[ShownPhotograph, Float32[Tensor, "channels h w"]]]
    ) -> list[Record]:
        shown, pixels = zip(*items, strict=True)
        names = [photograph.name for photograph in shown]
        noted = self._reruns.forward(torch.stack(pixels).to(self._network.device))
        require_finite(noted.result.finite[0].tolist(), self._network.layer.name, names)
        scores = noted.result.scores.detach().double().cpu()
        require_finite_scores(scores, self._network.name, names)
        is_of_class = [self._is_of_class(*of_image) for of_image in zip(shown, scores, strict=True)]
        silent = [
            self._silent(number, activation) if shows_class else []
            for number, shows_class, activation in zip(
                images, is_of_class, noted.result.activation.detach(), strict=True
            )
        ]
        first_order = self._first_order(noted)
        without = scores_without(self._reruns, noted, silent)
        return [
            self._record(number, *of_image).to_json()
            for number, *of_image in zip(images, shown, is_of_class, pixels, scores, without, first_order, strict=True)
        ]

    def _is_of_class(self, shown: ShownPhotograph, scores: Float64[Tensor, " classes"]) -> bool:
        return self._is_right(scores) if shown.is_of_class is None else shown.is_of_class

    def _silent(self, number: int, activation: Float[Tensor, "units h w"]) -> list[tuple[int, ...]]:
        """The choices of units that a photograph is asked without: the concept's, and others that are as active."""
        units = self._leaning.units
        if not units:
            return []
        activity = activation.double().mean((1, 2)).cpu().numpy()
        generator = np.random.default_rng((self._draws.seed, number))
        drawn = [like_units(units, activity, range(len(activity)), generator) for _ in range(self._draws.count)]
        return [units, *(others for others in drawn if len(others) == len(units))]

    def _first_order(self, noted: NotedPass) -> list[tuple[float, float | None]]:
        """What all units put into each photograph's score, for or against; and the lit cells of the concept's units."""
        activation, units = noted.result.activation, list(self._leaning.units)
        targets = torch.full((len(activation),), self._leaning.target, device=activation.device)
        (slope,) = gradients(of_class(noted.result.scores, targets), [activation])
        totals = effects(slope, activation).double().abs().sum(1).tolist()
        if not units:
            return [(total, None) for total in totals]
        lit = lit_contributions(mean(slope), activation.float(), self._thresholds)
        sums = activation.shape[2:].numel() * lit[:, units].double().sum(1)
        return list(zip(totals, sums.tolist(), strict=True))

    def _record(
        self,
        number: int,
        shown: ShownPhotograph,
        is_of_class: bool,  # noqa: FBT001 -- one of several things known of a photograph
        pixels: Float32[Tensor, "channels h w"],
        scores: Float64[Tensor, " classes"],
        without: Sequence[Float64[Tensor, " classes"]],
        first_order: tuple[float, float | None],
    ) -> LeaningRecord:
        region, taken = shown.regions(self._leaning.key, self._things, self.framing)
        is_labelled = self._leaning.concept.category in map(category_of, shown.places or ())
        is_there, is_coverable = bool(region.any()), has_room(region, taken)
        total, lit = first_order
        return LeaningRecord(
            image=shown.name,
            number=number,
            is_of_class=is_of_class,
            score=float(scores[self._leaning.target]),
            probability=self._probability(scores),
            is_right=self._is_right(scores),
            total=total,
            silenced=self._silenced(scores, *without) if without else None,
            covered=self._covered(number, pixels, scores, region, taken) if is_of_class and is_coverable else None,
            has_no_room=is_of_class and is_there and not is_coverable,
            is_there=is_there if is_labelled else None,
            lit=lit,
        )

    def _silenced(
        self,
        scores: Float64[Tensor, " classes"],
        without: Float64[Tensor, " classes"],
        *random: Float64[Tensor, " classes"],
    ) -> Silenced:
        target = self._leaning.target
        return Silenced(
            loss=float(scores[target] - without[target]),
            probability=self._probability(without),
            is_right=self._is_right(without),
            random=tuple(float(scores[target] - others[target]) for others in random),
        )

    def _covered(
        self,
        number: int,
        pixels: Float32[Tensor, "channels h w"],
        scores: Float64[Tensor, " classes"],
        region: Bool[np.ndarray, "h w"],
        taken: Bool[np.ndarray, "h w"],
    ) -> Covered:
        regions = [region, *elsewhere_often(region, taken, self._draws, number)]
        replacement = COVERS[self._draws.cover](pixels)
        after = scores_where_kept(self._network, pixels, replacement, [~covered for covered in regions], self._size)
        target = self._leaning.target
        fall, *others = (scores[target] - after[:, target]).tolist()
        return Covered(float(region.mean()), fall, tuple(others))

    def _probability(self, scores: Float64[Tensor, " classes"]) -> float:
        return float(self._network.head.probabilities(scores)[self._leaning.target])

    def _is_right(self, scores: Float64[Tensor, " classes"]) -> bool:
        return bool(scores.argmax() == self._leaning.target)


def scores_without(
    reruns: Reruns, noted: NotedPass, silent: Sequence[Sequence[Sequence[int]]]
) -> list[list[Float64[Tensor, " classes"]]]:
    """Each image's scores without some of its units, once for each of its choices of units.

    The head runs over the whole batch as often as the image with most choices needs.

    Args:
        reruns: runs the head.
        noted: the images' forward pass.
        silent: by image, the choices of units whose maps become 0.
    """
    activation = noted.result.activation.detach()
    scores: list[list[Float64[Tensor, " classes"]]] = [[] for _ in silent]
    for turn in range(max(map(len, silent), default=0)):
        maps = activation.clone()
        for image, choices in enumerate(silent):
            if turn < len(choices):
                maps[image, list(choices[turn])] = 0
        after = reruns.scores(noted, maps).double().cpu()
        for image, choices in enumerate(silent):
            if turn < len(choices):
                scores[image].append(after[image])
    return scores
