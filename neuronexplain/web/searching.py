"""Finds networks, classes, concepts and neurons by a part of their names, over all runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from neuronexplain.classes import normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.records import Run

    from .catalogue import Catalogue

MOST_HITS: Final = 50
"""Hits of each kind."""

Kind = Literal["run", "class", "concept", "neuron"]


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found.

    Attributes:
        kind: what it is.
        run: the newest run that has it.
        name: what it is called; a run's network and layer.
        number: a class's index or a unit's number; -1 for others.
        runs: how many runs have it.
    """

    kind: Kind
    run: int
    name: str
    number: int
    runs: int


def search(catalogue: Catalogue, words: str) -> list[Hit]:
    """What has all the words in its name, and the neurons of that number: at most :data:`MOST_HITS` of each kind.

    Runs that are still being read are left out, as far as it needs what they hold.
    """
    parts = normal(words).split()
    if not parts:
        return []
    runs = catalogue.runs()
    hits = list(islice(_runs(runs, parts), MOST_HITS))
    hits += islice(_gathered("class", _classes(runs), parts), MOST_HITS)
    hits += islice(_gathered("concept", _concepts(catalogue, runs), parts), MOST_HITS)
    number = words.strip().removeprefix("#")
    if number.isascii() and number.isdecimal() and len(number) < 10:
        hits += islice(_units(catalogue, runs, int(number)), MOST_HITS)
    return hits


def _runs(runs: list[Run], parts: list[str]) -> Iterator[Hit]:
    for run in runs:
        name = f"{run.network} {run.layer.name}, {run.concepts}"
        if _has(name, parts):
            yield Hit("run", run.id, name, -1, 1)


def _classes(runs: list[Run]) -> Iterator[tuple[str, int, int]]:
    for run in runs:
        for index, label in enumerate(run.classes):
            yield label, run.id, index


def _concepts(catalogue: Catalogue, runs: list[Run]) -> Iterator[tuple[str, int, int]]:
    for run in runs:
        digest = catalogue.known(run)
        for concept in digest.concepts.values() if digest else ():
            yield concept.spoken, run.id, -1


def _units(catalogue: Catalogue, runs: list[Run], number: int) -> Iterator[Hit]:
    for run in runs:
        digest = catalogue.known(run)
        if digest and number < len(digest.units):
            yield Hit("neuron", run.id, digest.units[number].name, number, 1)


def _gathered(kind: Kind, named: Iterator[tuple[str, int, int]], parts: list[str]) -> Iterator[Hit]:
    """One hit for each name that has all parts, of the newest run that has it."""
    first: dict[str, tuple[int, int]] = {}
    counts: dict[str, int] = {}
    for name, run, number in named:
        first.setdefault(name, (run, number))
        counts[name] = counts.get(name, 0) + 1
    # Runs share most names, so each name is looked at once, after they were gathered.
    for name in sorted((name for name in first if _has(name, parts)), key=lambda name: (len(name), name)):
        run, number = first[name]
        yield Hit(kind, run, name, number, counts[name])


def _has(name: str, parts: list[str]) -> bool:
    folded = normal(name)
    return all(part in folded for part in parts)
