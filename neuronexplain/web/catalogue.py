"""What the application has read of the database: each run once, as long as there is room."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from db.errors import RunNotFoundError
from dissection.errors import LayerNotFoundError, NeuronExplainError
from neuronexplain.run_differences import differences_within_networks

from .limited import Limited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db import NameStore
    from db.records import Run
    from dissection.vocabulary import Unit
    from neuronexplain.run_differences import Differences

_UNITS: Final = 2**18
"""Units whose digests are kept, some 400 bytes each."""
_COURTESY: Final = 0.001
"""Seconds for which the reader waits between two runs: a lock is not fair, and whoever asks for a run comes next."""


@dataclass(frozen=True, slots=True)
class UnitDigest:
    """What a list says of a unit.

    Attributes:
        number: the unit.
        name: its name as it is spoken; empty if it has none.
        category: the category of its name, or empty.
        best: the concept that it overlaps best, whether or not it is named after it; empty if none.
        iou: IoU with that.
        truth: the share of its lit images that carry it; ``None`` where that was not counted.
        q: the rate of false names among those as sure; ``None`` where no evidence is kept.
        is_proven: whether its name is more than chance.
        threshold: ``T_k``, or ``None`` where a run has none.
    """

    number: int
    name: str
    category: str
    best: str
    iou: float
    truth: float | None
    q: float | None
    is_proven: bool
    threshold: float | None

    @classmethod
    def of(cls, unit: Unit) -> UnitDigest:
        """What a list says of a unit."""
        name, best = unit.name(), unit.best
        return cls(
            unit.number,
            name.concept.spoken if name else "",
            name.concept.category if name else "",
            best.concept.spoken if best else "",
            best.iou if best else 0.0,
            best.truth.precision if best and best.truth else None,
            unit.evidence.q if unit.evidence else None,
            unit.is_proven(),
            unit.threshold if isfinite(unit.threshold) else None,
        )


@dataclass(frozen=True, slots=True)
class NamedConcept:
    """A concept that names units of a run."""

    spoken: str
    category: str
    units: tuple[int, ...]
    iou: float


@dataclass(frozen=True, slots=True)
class RunDigest:
    """What is known of a run without asking the database again.

    Attributes:
        run: the run.
        units: its units, in order.
        concepts: the concepts that name units, those that name most of them first, by their name in lower case.
    """

    run: Run
    units: tuple[UnitDigest, ...]
    concepts: Mapping[str, NamedConcept] = field(repr=False)

    @property
    def named(self) -> int:
        """How many units have a name."""
        return sum(1 for unit in self.units if unit.name)

    @property
    def proven(self) -> int:
        """How many have one that is more than chance."""
        return sum(unit.is_proven for unit in self.units)


class Catalogue:
    """The runs of a store, newest first, and what was read of them; for several threads.

    A thread of its own reads every run ahead, so that nobody waits for the first look at one.

    Args:
        store: the store, open for reading.
    """

    def __init__(self, store: NameStore) -> None:
        self.store = store
        self._lock, self._reading = Lock(), Lock()
        self._reader: Thread | None = None
        self._held: dict[int, str] = {}
        self._runs: dict[int, Run] = {}
        self._apart: dict[int, Differences] = {}
        self._digests: Limited[str, RunDigest] = Limited(_UNITS)

    def runs(self) -> list[Run]:
        """Every run, newest first.

        Raises:
            StoreError: if the database fails.
        """
        with self._lock:
            held = self.store.held()
            if held != self._held:
                runs = self.store.runs()
                self._runs = {run.id: run for run in reversed(runs)}
                self._apart = differences_within_networks(runs)
                self._held = held
                if not self.is_reading:
                    self._reader = Thread(target=self._read_ahead, name="read-ahead", daemon=True)
                    self._reader.start()
            return list(self._runs.values())

    @property
    def is_reading(self) -> bool:
        """Whether some runs are still being read for the first time."""
        return self._reader is not None and self._reader.is_alive()

    def run(self, number: int | None) -> Run:
        """The run with a number, or the newest.

        Raises:
            RunNotFoundError: if there is none.
        """
        runs = self.runs()
        if number is None and runs:
            return runs[0]
        for run in runs:
            if run.id == number:
                return run
        if not runs:
            raise RunNotFoundError("the database holds no run yet; build one with `neuronexplain build`")
        raise RunNotFoundError(f"the database holds no run {number}; choose one of its {len(runs)}")

    def run_with_unit(self, number: int, unit: int) -> Run:
        """The run with a number, if its layer has a unit.

        Raises:
            RunNotFoundError: if there is no such run.
            LayerNotFoundError: if its layer has no such unit.
        """
        run = self.run(number)
        if unit >= run.layer.units:
            raise LayerNotFoundError(
                f"layer {run.layer.name} of run {number} has no {run.layer.noun} {unit}: give one from 0 to "
                f"{run.layer.units - 1}"
            )
        return run

    def apart(self, run: Run) -> Differences:
        """What sets a run apart from the others of its network."""
        return self._apart.get(run.id, {})

    def known(self, run: Run) -> RunDigest | None:
        """What is known of a run, if it was read."""
        digest = self._digests.get(run.key.digest)
        return digest if digest is not None and digest.run.id == run.id else None

    def digest(self, run: Run) -> RunDigest:
        """What is known of a run; it is read first if need be.

        Raises:
            StoreError: if the run was changed or damaged since it was stored.
        """
        digest = self.known(run)
        if digest is None:
            with self._reading:  # one at a time: each takes memory and time
                digest = self.known(run)
                if digest is None:
                    digest = _digest(run, self.store.dissection(run).units)
                    self._digests.keep(run.key.digest, digest, run.layer.units)
        return digest

    def _read_ahead(self) -> None:
        tried: set[int] = set()
        while remaining := [run for run in list(self._runs.values()) if run.id not in tried]:
            tried.add(remaining[0].id)
            with suppress(NeuronExplainError):  # whoever asks for that run is told
                self.digest(remaining[0])
            time.sleep(_COURTESY)


def _digest(run: Run, units: tuple[Unit, ...]) -> RunDigest:
    digests = tuple(map(UnitDigest.of, units))
    of_concept: dict[str, list[UnitDigest]] = defaultdict(list)
    for digest in digests:
        if digest.name:
            of_concept[digest.name.casefold()].append(digest)
    concepts = [
        NamedConcept(
            named[0].name,
            named[0].category,
            tuple(digest.number for digest in named),
            max(digest.iou for digest in named),
        )
        for named in of_concept.values()
    ]
    concepts.sort(key=lambda concept: (-len(concept.units), concept.spoken))
    return RunDigest(run, digests, {concept.spoken.casefold(): concept for concept in concepts})
