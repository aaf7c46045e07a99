"""Damaged files of a job that was killed: checkpoints, journals and tables in the making are refused or not missed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from damage import damaged
from interposer import CHANGES, Strike
from kills import run, undisturbed
from outcomes import Attempt, Outcome, fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench import Bench
    from operations import Operation, Reference

_RESUMED = ("build", "build into a database", "convert", "join", "evaluate")


def unfinished(bench: Bench) -> Iterator[Attempt]:
    """Kill jobs that are resumed, damage one of the files that they left, and start them again."""
    if bench.warm.interposer is None:
        return
    for operation in bench.operations:
        if operation.name in _RESUMED:
            reference, calls = undisturbed(bench, operation, Strike(CHANGES))
            for number in range(bench.sizes.mutations):
                with bench.place(operation.name.replace(" ", "-")) as folder:
                    if attempt := _attempt(bench, operation, reference, calls, number, folder):
                        yield attempt


def _attempt(
    bench: Bench, operation: Operation, reference: Reference, calls: int, number: int, folder: Path
) -> Attempt | None:
    """One case; ``None`` if the job had left nothing yet."""
    dice = bench.dice("unfinished", operation.name, number)
    place = dice.randint(calls // 4, calls)
    operation.prepare(folder)
    run(bench, operation, folder, Strike(CHANGES, place))
    left = [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.stat().st_size and not file.name.endswith((".db", "lock"))
    ]
    if not left:
        return None
    file = dice.choice(left)
    way, content = damaged(file.read_bytes(), dice)
    file.write_bytes(content)
    name = file.relative_to(folder)
    case = f"--only unfinished --seed {bench.seed}: {operation.name} {number}, killed at call {place}, {way} in {name}"
    attempt = Attempt("unfinished", operation.name, Outcome.RIGHT, case)
    ending = run(bench, operation, folder)
    if bad := fault(ending):
        return replace(attempt, outcome=bad[0], detail=bad[1])
    differing = reference.differs(folder)
    if ending.status and differing:
        return replace(attempt, outcome=Outcome.REFUSED)
    if differing:
        return replace(attempt, outcome=Outcome.OTHER, detail=f"other: {', '.join(differing[:5])}")
    if extra := reference.left_over(folder):
        return replace(attempt, outcome=Outcome.LEFT_OVER, detail=", ".join(extra[:5]))
    return attempt
