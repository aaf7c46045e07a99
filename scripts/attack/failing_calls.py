"""Calls that fail: a full disk, and one that cannot read or write; the command says so, and works when it is mended."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from interposer import CHANGES, GROWTH, Calls, Strike
from kills import restored, run, undisturbed
from outcomes import Attempt, Outcome, fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench import Bench
    from operations import Operation, Reference


@dataclass(frozen=True, slots=True)
class _Failure:
    """A kind of failure."""

    name: str
    strike: Strike


FAILURES = (
    _Failure("no room from then on", Strike(GROWTH, error=errno.ENOSPC, lasting=True)),
    _Failure("no room once", Strike(GROWTH, error=errno.ENOSPC)),
    _Failure("an error on reading", Strike(Calls.OPEN | Calls.READ, error=errno.EIO)),
    _Failure("an error on changing", Strike(CHANGES, error=errno.EIO)),
)


def failing_calls(bench: Bench) -> Iterator[Attempt]:
    """Let calls of every command that writes fail, one after another: all, or as many as are asked for."""
    if bench.warm.interposer is None:
        return
    for operation in bench.operations:
        for failure in FAILURES:
            reference, calls = undisturbed(bench, operation, failure.strike, root=bench.world.folder.parent)
            dice = bench.dice("io", operation.name, failure.name)
            places = range(1, calls + 1)
            if calls > bench.sizes.errors:
                places = sorted(dice.sample(places, bench.sizes.errors))
            for place in places:
                with bench.place(operation.name.replace(" ", "-")) as folder:
                    yield _attempt(bench, operation, replace(failure.strike, at=place), failure.name, reference, folder)


def _attempt(
    bench: Bench, operation: Operation, strike: Strike, name: str, reference: Reference, folder: Path
) -> Attempt:
    case = f"--only io --seed {bench.seed}: {operation.name}, {name} at call {strike.at}"
    attempt = Attempt("failing calls", f"{operation.name}, {name}", Outcome.RIGHT, case)
    operation.prepare(folder)
    ending = run(bench, operation, folder, strike, root=bench.world.folder.parent)
    if bad := fault(ending):
        return replace(attempt, outcome=bad[0], detail=bad[1])
    if half := reference.half_written(operation, folder):
        return replace(attempt, outcome=Outcome.OTHER, detail=f"status {ending.status}: {half}")
    if ending.status == 0 and (differing := reference.differs(folder)):
        return replace(attempt, outcome=Outcome.OTHER, detail=f"other: {', '.join(differing[:5])}")
    outcome, detail = restored(bench, operation, reference, folder)
    if outcome is Outcome.RIGHT and ending.status:
        outcome = Outcome.REFUSED
    return replace(attempt, outcome=outcome, detail=detail)
