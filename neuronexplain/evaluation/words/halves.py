"""Do two halves of a dataset give a unit the same name? They share no image, only the network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.wrappers import Selection
from dissection.dissect import dissect
from neuronexplain.evaluation.ground_truth.labelled_concepts import concept_key
from neuronexplain.metrics.pointing_game import halves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from dissection.vocabulary import UnitName


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two sets of names agree.

    Attributes:
        units: units that have a name in both.
        same: those of them with the same name.
        chance: how many would have the same if the names of one were dealt among these units at random.
    """

    units: int
    same: int
    chance: float

    @classmethod
    def of(cls, first: Mapping[int, UnitName], second: Mapping[int, UnitName]) -> Agreement:
        """The agreement of names by unit."""
        units = sorted(first.keys() & second.keys())
        pairs = [(concept_key(first[unit].concept), concept_key(second[unit].concept)) for unit in units]
        ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
        expected = sum(count * others[name] for name, count in ones.items())
        return cls(len(units), sum(one == other for one, other in pairs), expected / max(len(units), 1))


def agreement_of_halves(
    network: Network,
    dataset: ConceptDataset,
    *,
    quantile: float,
    min_images: int,
    min_iou: float,
    seed: int = 0,
    execution: Execution | None = None,
) -> Agreement:
    """Dissect the network on two random halves of a dataset, and compare the names.

    Args:
        network: the network.
        dataset: at least two images.
        quantile: share of a unit's activations that count as strong.
        min_images: images of a half that must show a concept before it can be a name.
        min_iou: least IoU of a name.
        seed: which images are in which half.
        execution: how the work is run.
    """
    is_first = halves(len(dataset), seed)
    first, second = (
        dissect(
            network,
            Selection(dataset, np.flatnonzero(chosen).tolist()),
            quantile=quantile,
            min_images=min_images,
            execution=execution,
        ).names(min_iou)
        for chosen in (is_first, ~is_first)
    )
    return Agreement.of(first, second)
