"""Takes runs of other stores: each as it was there, with its time, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from db.exchange.scrutiny import require_possible

from .agreement import require_agreement
from .errors import StoreError
from .reading import read_runs, read_whole
from .records import SHARED, Adopted
from .schema import runs
from .writing import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from .records import WholeRun


def adopt(connection: Connection, given: WholeRun) -> Adopted:
    """Write a run that another store made, and that its source says so; or find that it is held already.

    Raises:
        StoreError: if its parts do not fit together, or a run of its key is held that says something else.
    """
    try:
        run = replace(given.run, source={**given.run.source, SHARED: True})
        require_agreement(run, given.dissection, given.importances, given.pictures)
        require_possible(given)
    except TypeError as error:  # of a database without our tables' types
        raise StoreError(f"{given.origin} holds a value of the wrong type: {error}") from error
    for held in read_runs(connection, runs.c.digest == run.key.digest):
        if what := difference(read_whole(connection, held, ""), given):
            raise StoreError(
                f"{given.origin or 'what is given'} and run {held.id} of the database are one run by their key, but "
                f"differ in {what}: one was changed, or built on another kind of machine; keep one of them"
            )
        return Adopted(held, is_new=False)
    number = write_whole(connection, replace(given, run=run), run.created)
    return Adopted(replace(run, id=number), is_new=True)


def difference(held: WholeRun, given: WholeRun) -> str | None:
    """The first thing that two runs of one key disagree in, or ``None``.

    What was only said for people (names, times, where weights lie) and pictures may differ.
    """
    return next(_differences(held, given), None)


def _differences(held: WholeRun, given: WholeRun) -> Iterator[str]:
    for what in ("layer", "classes", "images", "pixels", "constant_alphas"):
        if getattr(held.run, what) != getattr(given.run, what):
            yield f"{what.replace('_', ' ')}"
    if held.dissection.concepts != given.dissection.concepts:
        yield "concepts or their support"
    for ours, theirs in zip(held.dissection.units, given.dissection.units, strict=True):
        for part in ("threshold", "overlaps", "exemplars"):
            if getattr(ours, part) != getattr(theirs, part):
                yield f"the {part} of unit {ours.number}"
    by_class = {importance.index: importance for importance in held.importances}
    if by_class.keys() != {importance.index for importance in given.importances}:
        yield "the classes that importances were gathered for"
    for new in given.importances:
        old = by_class[new.index]
        pairs = ((old.alphas, new.alphas), (old.contributions, new.contributions))
        if old.images != new.images or not all(np.array_equal(*pair) for pair in pairs):
            yield f"the importances of class {new.index}"
