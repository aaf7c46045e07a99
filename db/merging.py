"""Takes runs from other stores: each unchanged, with its time, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from db.exchange.scrutiny.whole_run import require_possible

from .agreement import require_agreement
from .checksums import run_checksum
from .errors import StoreError
from .reading import read_runs, read_whole
from .records import SHARED, Adopted
from .rows import whole_rows
from .schema import runs
from .writing import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from dissection.vocabulary import Unit

    from .records import Run, WholeRun


def adopt(connection: Connection, incoming: WholeRun) -> Adopted:
    """Write a run that another store made, and note that in its source; or return the same run if it is already held.

    Raises:
        StoreError: if its parts do not fit together or to its checksum, or a held run with its key differs.
    """
    run = replace(incoming.run, source={**incoming.run.source, SHARED: True})
    require_agreement(run, incoming.dissection, incoming.importances, incoming.pictures)
    require_possible(incoming)
    held_runs = read_runs(connection, runs.c.digest == run.key.digest)
    for held in held_runs:
        if part := difference(read_whole(connection, held, ""), incoming):
            raise StoreError(
                f"{incoming.origin or 'the new run'} and run {held.id} of the database are one run by their key, but "
                f"differ in {part}: one was changed, or built on another kind of machine; keep one of them"
            )
    _require_unchanged(incoming)
    if held_runs:
        return Adopted(held_runs[0], is_new=False)
    number = write_whole(connection, replace(incoming, run=run), run.created)
    return Adopted(replace(run, id=number), is_new=True)


def _require_unchanged(incoming: WholeRun) -> None:
    """Check what fits the definitions too: a count that was changed may still be a possible one."""
    if incoming.checksum is None:
        return
    if incoming.checksum != run_checksum(whole_rows(incoming, incoming.run.created), incoming.run):
        raise StoreError(
            f"{incoming.origin} was changed or damaged since it was written, its checksum is another: get it again"
        )


def difference(held: WholeRun, incoming: WholeRun) -> str | None:
    """The first thing in which two runs with one key differ, or ``None``.

    Facts for people (names, times, where weights lie) and pictures may differ; so may what exemplars show and the body,
    if only one of the runs keeps it.
    """
    return next(_differences(held, incoming), None)


def _differences(held: WholeRun, incoming: WholeRun) -> Iterator[str]:
    yield from _different_facts(held.run, incoming.run)
    if held.dissection.concepts != incoming.dissection.concepts:
        yield "concepts or their support"
    for held_unit, incoming_unit in _pairs_of_units(held, incoming):
        for part in ("threshold", "overlaps", "exemplars", "evidence", "compositions"):
            if getattr(held_unit, part) != getattr(incoming_unit, part):
                yield f"the {part} of unit {held_unit.number}"
    by_class = {importance.index: importance for importance in held.importances}
    if by_class.keys() != {importance.index for importance in incoming.importances}:
        yield "the classes that importances were gathered for"
    for new in incoming.importances:
        old = by_class[new.index]
        arrays = [(*importance.means, *importance.statistics) for importance in (old, new)]
        if old.images != new.images or not all(map(np.array_equal, *arrays)) or len(arrays[0]) != len(arrays[1]):
            yield f"the importances of class {new.index}"


def _different_facts(held: Run, incoming: Run) -> Iterator[str]:
    if held.body != incoming.body and held.body and incoming.body:
        yield "the body of the network"
    for name in ("layer", "classes", "images", "pixels", "constant_alphas"):
        if getattr(held, name) != getattr(incoming, name):
            yield f"{name.replace('_', ' ')}"


def _pairs_of_units(held: WholeRun, incoming: WholeRun) -> Iterator[tuple[Unit, Unit]]:
    """The units of two runs, with what exemplars show only if both runs keep it."""
    pairs = zip(held.dissection.units, incoming.dissection.units, strict=True)
    if held.run.key.keeps_exemplar_concepts is incoming.run.key.keeps_exemplar_concepts:
        yield from pairs
        return
    for pair in pairs:
        held_unit, incoming_unit = map(_without_exemplar_concepts, pair)
        yield held_unit, incoming_unit


def _without_exemplar_concepts(unit: Unit) -> Unit:
    return replace(unit, exemplars=tuple(replace(exemplar, concepts=()) for exemplar in unit.exemplars))
