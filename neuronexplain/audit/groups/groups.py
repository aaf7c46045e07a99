"""Whether a network is right as often in one group of photographs as in another, and which concepts carry the gap.

That is the doctor/nurse study of Sec. 6.3 on one's own data. For the photographs of class c, the lit contribution of
unit k is ``alpha_k mean(A_k [A_k > T_k])``, with the alpha of c's score; a concept's is the mean over the units that it
names. What a concept contributes in one group more than in another is a difference of two means over photographs.
Contributions may differ between groups though the network is right as often in both. So a concept is said to carry a
difference in accuracy only where there is one, and where the concept's interval lies on the same side of 0. With many
classes some intervals would miss by chance, so a gap is taken to be one where its interval lies on one side of 0 at a
level that holds for all comparisons of classes at once (Bonferroni).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dissection.vocabulary import MAX_Q, MIN_IOU, THIN_EVIDENCE
from neuronexplain.class_importance import alphas_and_contributions
from neuronexplain.methods.gradcam import lit_contributions
from neuronexplain.metrics.intervals import LEVEL
from neuronexplain.metrics.small_samples import difference_of_means, difference_of_shares, is_apart_from_0, share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Bool, Float64, Int64

    from dissection.vocabulary import Concept, Unit
    from neuronexplain.audit.photograph_pass import LabelledBatch, PhotographPass
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.metrics.intervals import Figure


@dataclass(frozen=True, slots=True)
class ConceptUnits:
    """A concept and the units that it names."""

    concept: Concept
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConceptDifference:
    """What a concept contributes to a class in one group of its photographs more than in the other.

    Attributes:
        concept: the name as it is spoken.
        category: its category.
        units: the units that it names.
        mean: the mean lit contribution in the first group.
        mean_of_other: that in the second.
        difference: the first less the second, with Welch's interval.
    """

    concept: str
    category: str
    units: tuple[int, ...]
    mean: float
    mean_of_other: float
    difference: Figure


@dataclass(frozen=True, slots=True)
class GroupGap:
    """Two groups of photographs, of one class or of all.

    Attributes:
        label: the class; empty where all classes are taken together.
        group: the first group.
        other: the second; "the rest" where there are more than two.
        accuracy: the share of the first group that the network gets right, with Wilson's interval.
        accuracy_of_other: that of the second.
        gap: the first less the second, with Newcombe's interval.
        is_a_gap: whether the groups differ by more than chance explains, in all comparisons together.
        concepts: of one class, what concepts contribute in the first group more than in the second, the largest
            difference first.
    """

    label: str
    group: str
    other: str
    accuracy: Figure
    accuracy_of_other: Figure
    gap: Figure
    is_a_gap: bool
    concepts: tuple[ConceptDifference, ...] = ()

    @property
    def is_thin(self) -> bool:
        """Whether either group has fewer photographs than a mean should rest on."""
        return min(self.accuracy.images, self.accuracy_of_other.images) < THIN_EVIDENCE

    @property
    def carriers(self) -> tuple[ConceptDifference, ...]:
        """The concepts that contribute more where the network is right more often, the largest difference first."""
        if not self.is_a_gap:
            return ()
        return tuple(
            concept
            for concept in self.concepts
            if is_apart_from_0(concept.difference) and (concept.difference.value > 0) == (self.gap.value > 0)
        )


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRecords:
    """What the network says of each photograph, and what concepts contribute to the class that it shows.

    Attributes:
        labels: the network's classes.
        classes: the class that each photograph shows.
        groups: the group of each.
        right: whether the network says that class.
        concepts: the concepts.
        lit: their lit contributions.
    """

    labels: Sequence[str]
    classes: Int64[np.ndarray, " images"]
    groups: Sequence[str]
    right: Bool[np.ndarray, " images"]
    concepts: Sequence[ConceptUnits]
    lit: Float64[np.ndarray, "images concepts"]

    def gaps(self) -> list[GroupGap]:
        """The groups compared: over all classes, then class by class; each with the rest if there are more than two."""
        names = sorted(set(self.groups))
        pairs = [(names[0], names[1])] if len(names) == 2 else [(name, "the rest") for name in names]
        indices: list[int | None] = [None, *map(int, np.unique(self.classes))]
        comparisons = [
            (index, group, other, first, second)
            for index in indices
            for group, other in pairs
            for first, second in (self._sides(index, group),)
            if first.any() and second.any()
        ]
        of_classes = sum(index is not None for index, *_ in comparisons)
        level = 1 - (1 - LEVEL) / max(of_classes, 1)
        return [
            GroupGap(
                label="" if index is None else self.labels[index],
                group=group,
                other=other,
                accuracy=self._accuracy(first),
                accuracy_of_other=self._accuracy(second),
                gap=difference_of_shares(self._accuracy(first), self._accuracy(second)),
                is_a_gap=is_apart_from_0(
                    difference_of_shares(self._accuracy(first, level=level), self._accuracy(second, level=level))
                ),
                concepts=() if index is None else tuple(self._differences(first, second)),
            )
            for index, group, other, first, second in comparisons
        ]

    def _sides(self, index: int | None, group: str) -> tuple[Bool[np.ndarray, " images"], Bool[np.ndarray, " images"]]:
        """Of a class, or of all, the photographs in a group, and the others."""
        of_class = np.full(len(self.groups), fill_value=True) if index is None else self.classes == index
        is_in = np.array([name == group for name in self.groups])
        return of_class & is_in, of_class & ~is_in

    def _accuracy(self, images: Bool[np.ndarray, " images"], *, level: float = LEVEL) -> Figure:
        return share(int(self.right[images].sum()), int(images.sum()), level=level)

    def _differences(
        self, first: Bool[np.ndarray, " images"], second: Bool[np.ndarray, " images"]
    ) -> list[ConceptDifference]:
        differences = [
            ConceptDifference(
                named.concept.spoken,
                named.concept.category,
                named.units,
                float(self.lit[first, number].mean()),
                float(self.lit[second, number].mean()),
                difference_of_means(self.lit[first, number], self.lit[second, number]),
            )
            for number, named in enumerate(self.concepts)
        ]
        return sorted(differences, key=lambda found: -abs(found.difference.value))


def proven_concepts(units: Sequence[Unit], *, min_iou: float = MIN_IOU, max_q: float = MAX_Q) -> list[ConceptUnits]:
    """The concepts that are the proven name of a unit; where no evidence is kept, the name of one."""
    has_evidence = any(unit.evidence is not None for unit in units)
    by_concept: dict[str, list[tuple[Concept, int]]] = {}
    for unit in units:
        name = unit.name(min_iou)
        if name is not None and (unit.is_proven(min_iou, max_q) or not has_evidence):
            by_concept.setdefault(name.concept.spoken, []).append((name.concept, unit.number))
    return [
        ConceptUnits(namesakes[0][0], tuple(number for _, number in namesakes)) for namesakes in by_concept.values()
    ]


def compare_groups(work: PhotographPass, groups: Sequence[str], units: Sequence[Unit]) -> GroupedRecords:
    """Look at photographs whose class and group are known, in one pass.

    Args:
        work: the pass.
        groups: the group of each of its photographs.
        units: the dissected units of the run.

    Raises:
        NeuronExplainError: as :meth:`PhotographPass.records`.
    """
    concepts = proven_concepts(units)
    settings: dict[str, Any] = {"min_iou": MIN_IOU, "max_q": MAX_Q}
    thresholds = torch.tensor([unit.threshold for unit in units], dtype=torch.float64).float()
    records = work.records("groups", settings, partial(_observe_lit, thresholds, concepts))
    lit = np.array([record["lit"] for record in records], np.float64).reshape(len(records), len(concepts))
    return GroupedRecords(
        labels=work.network.classes,
        classes=np.array([record["shown"] for record in records], np.int64),
        groups=groups,
        right=np.array([record["said"] == record["shown"] for record in records]),
        concepts=concepts,
        lit=lit,
    )


def _observe_lit(thresholds: torch.Tensor, concepts: Sequence[ConceptUnits], batch: LabelledBatch) -> list[Record]:
    classes = torch.tensor(batch.classes)
    said = batch.result.scores.detach().cpu().numpy().argmax(1).tolist()
    (importances,) = alphas_and_contributions(batch.result, classes)
    activation = batch.result.activation.detach().float()
    lit = lit_contributions(importances[:, 0], activation, thresholds).double().cpu().numpy()
    return [
        {"image": name, "shown": shown, "said": index, "lit": list(_means(of_units, concepts))}
        for name, shown, index, of_units in zip(batch.names, batch.classes, said, lit, strict=True)
    ]


def _means(lit: Float64[np.ndarray, " units"], concepts: Sequence[ConceptUnits]) -> Iterator[float]:
    for named in concepts:
        yield float(lit[list(named.units)].mean())
