"""Compares two runs, and gathers what a reader must know about the comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from db.records import CONCEPT_IMAGES
from dissection.vocabulary import MIN_IOU, common_noun

from .changes import largest_first
from .class_changes import StoredSide, lit_changes, share_changes, shared_classes, units_of
from .likeness import unit_likeness
from .names import concept_changes, unit_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Execution

    from .class_changes import ClassChange
    from .likeness import UnitLikeness
    from .names import ConceptChange, UnitsCompared
    from .speech import SpeechCompared

_SETTINGS = ("quantile", "min_images", "upsampling")
"""Settings of a build that change names."""


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """What differs between two runs; each list begins with the largest change that is beyond noise.

    Attributes:
        first: the first run.
        second: the second run.
        likeness: how like each other units of the same number are; ``None`` if the layers differ in units.
        units: the units by number; ``None`` where a number does not mean the same in both runs.
        concepts: the concepts that name units.
        shared: how many classes both networks have.
        gathered: of how many of them both runs keep importances.
        averaged: of how many classes each run keeps them: those that its average class is the average of.
        lit: what concepts contribute to classes above the average class; ``None`` where a run keeps no statistics.
        shares: the shares of scores that concepts have.
        speech: what is said of photographs; ``None`` without any.
        notes: what a reader must know, each without a full stop.
    """

    first: Run
    second: Run
    likeness: UnitLikeness | None
    units: UnitsCompared | None
    concepts: tuple[ConceptChange, ...]
    shared: int
    gathered: int
    averaged: tuple[int, int]
    lit: tuple[ClassChange, ...] | None
    shares: tuple[ClassChange, ...]
    speech: SpeechCompared | None
    notes: tuple[str, ...]

    @property
    def noun(self) -> str:
        """What readers call a unit of either run."""
        return common_noun(run.layer for run in (self.first, self.second))

    @property
    def is_changed(self) -> bool:
        """Whether anything differs at all."""
        return bool(
            (self.units and self.units.changes)
            or self.concepts
            or self.lit
            or self.shares
            or (self.speech and self.speech.photograph_changes)
        )


def compare_runs(
    first: tuple[NameStore, Run],
    second: tuple[NameStore, Run],
    *,
    min_iou: float = MIN_IOU,
    speech: SpeechCompared | None = None,
    execution: Execution | None = None,
) -> RunsCompared:
    """What differs between two runs.

    Args:
        first: a run and where it is kept.
        second: the run that it is compared with.
        min_iou: least IoU at which a unit has a name.
        speech: what their networks say of photographs, if that was asked.
        execution: reports progress.

    Raises:
        StoreError: if a run is damaged.
    """
    dissections = [store.dissection(run) for store, run in (first, second)]
    before, after = (
        StoredSide(store, run, units_of(dissection.names(min_iou).values()))
        for (store, run), dissection in zip((first, second), dissections, strict=True)
    )
    likeness = unit_likeness(*dissections)
    shared = shared_classes(first[1], second[1])
    seen = [store.class_images(run) for store, run in (first, second)]
    gathered = [(index, other) for index, other in shared if index in seen[0] and other in seen[1]]

    def on_class(done: int) -> None:
        if execution is not None:
            execution.report("comparing classes", done, len(gathered))

    lit = lit_changes(before, after, gathered)
    shares = share_changes(before, after, gathered, on_class)
    compared = RunsCompared(
        first=first[1],
        second=second[1],
        likeness=likeness,
        units=unit_changes(*dissections, min_iou=min_iou) if likeness and likeness.is_same else None,
        concepts=tuple(concept_changes(*dissections, min_iou=min_iou)),
        shared=len(shared),
        gathered=len(gathered),
        averaged=(len(seen[0]), len(seen[1])),
        lit=None if lit is None else tuple(largest_first(lit)),
        shares=tuple(largest_first(shares)),
        speech=speech,
        notes=(),
    )
    return replace(compared, notes=tuple(_notes(compared)))


def _notes(compared: RunsCompared) -> Iterator[str]:
    """What a reader must know."""
    first, second = compared.first, compared.second
    if first.key.digest == second.key.digest:
        yield "both are the same run"
    if not compared.is_changed:
        yield "nothing has changed"
    if first.key.concepts != second.key.concepts:
        yield f"{compared.noun}s were named with different concept data, which may be why some names changed"
    for setting in _SETTINGS:
        values = getattr(first.key, setting), getattr(second.key, setting)
        if values[0] != values[1]:
            yield f"the runs differ in {setting} ({values[0]} and {values[1]}), which may be why some names changed"
    if not (first.draws and second.draws):
        yield "a run keeps no evidence for its names, so of changes in names it is unknown what is noise"
    yield from _class_notes(compared)


def _class_notes(compared: RunsCompared) -> Iterator[str]:
    """What a reader must know of the classes."""
    first, second = compared.first, compared.second
    if not compared.shared:
        yield "the networks have no class in common, so nothing is said of what changed for a class"
        return
    if max(len(first.classes), len(second.classes)) > compared.shared:
        counts = f"{len(first.classes)} and {len(second.classes)}"
        yield f"the networks have {counts} classes, and {compared.shared} in common"
    if compared.gathered < compared.shared:
        yield (
            f"of {compared.shared} classes, {compared.gathered} have images in both runs, and only they are compared; "
            "builds with --class-images for all of them would let all be compared"
        )
    if compared.averaged[0] != compared.averaged[1]:
        yield f"the average class is that of {compared.averaged[0]} classes before, and of {compared.averaged[1]} after"
    if first.key.evidence != second.key.evidence:
        yield "what matters for classes was gathered over different images, and part of the change may be theirs"
    elif first.evidence.startswith(CONCEPT_IMAGES):
        yield "each network itself decided which class an image counts for, and part of the change may be due to that"
