"""Kills at writes, renames and fsyncs: the same command, started again, must end as an undisturbed one does."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from interposer import CHANGES, Strike
from operations import Operation, Reference, contents
from outcomes import Attempt, Outcome, fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench import Bench
    from commands import Ending

_CHAIN = 3
"""At most so many kills before a command is left in peace."""


def kills(bench: Bench) -> Iterator[Attempt]:
    """Kill every command that writes, again and again, at calls drawn at random."""
    if bench.warm.interposer is None:
        return
    for operation in bench.operations:
        reference, calls = undisturbed(bench, operation, Strike(CHANGES))
        times = bench.sizes.build_kills if operation.name == "build" else bench.sizes.kills
        for number in range(times):
            with bench.place(operation.name.replace(" ", "-")) as folder:
                yield _killed(bench, operation, reference, calls, number, folder)


def undisturbed(bench: Bench, operation: Operation, strike: Strike, root: Path | None = None) -> tuple[Reference, int]:
    """What a command leaves when nothing disturbs it, and how many calls it makes in its folder or in ``root``.

    Raises:
        RuntimeError: if it fails, or leaves something else the second time: then nothing can be compared.
    """
    if (counted := bench.calls.get((operation.name, strike, root))) is not None:
        return bench.references[operation.name], counted
    calls, references = 0, []
    for _ in range(1 if operation.name in bench.references else 2):
        with bench.place(operation.name.replace(" ", "-")) as folder:
            operation.prepare(folder)
            before = contents(folder)
            ending = run(bench, operation, folder, strike, root)
            if ending.status:
                raise RuntimeError(f"{operation.name} fails undisturbed: {ending.err}")
            calls = ending.calls
            references.append(Reference(before, contents(folder)))
    reference = bench.references.setdefault(operation.name, references[0])
    bench.calls[operation.name, strike, root] = calls
    for other in references:
        if other != reference:
            files = set(other.after.items()) ^ set(reference.after.items())
            raise RuntimeError(f"{operation.name} leaves something else the second time: {sorted(files)}")
    return reference, calls


def run(
    bench: Bench, operation: Operation, folder: Path, strike: Strike | None = None, root: Path | None = None
) -> Ending:
    """Run a command, with checkpoints as often as can be."""
    return bench.warm.run(operation.words(folder), root=root or folder, strike=strike, before=save_often)


def save_often() -> None:
    """Make a job of a second leave what a job of hours does."""
    from dissection.engine import cells
    from dissection.execution import checkpoint

    checkpoint._PAUSE, checkpoint._SHARE = 0.0, 1e9  # noqa: SLF001
    cells._SEGMENT = cells._ROOM = 5_000  # noqa: SLF001


def restored(bench: Bench, operation: Operation, reference: Reference, folder: Path) -> tuple[Outcome, str]:
    """Run a command again, undisturbed, and compare what it leaves with what it should."""
    ending = run(bench, operation, folder)
    if bad := fault(ending):
        return bad
    if differing := reference.differs(
        folder
    ):  # a command that was struck after its work is done may refuse to repeat it
        return Outcome.OTHER, f"status {ending.status}, other: {', '.join(differing[:5])}: {ending.err[-300:]}"
    if extra := reference.left_over(folder):
        return Outcome.LEFT_OVER, ", ".join(extra[:5])
    return Outcome.RIGHT, ""


def _killed(bench: Bench, operation: Operation, reference: Reference, calls: int, number: int, folder: Path) -> Attempt:
    dice = bench.dice("kills", operation.name, number)
    places = [dice.randint(1, calls) for _ in range(dice.randint(1, _CHAIN))]
    torn = dice.random() < 0.5
    case = f"--only kills --seed {bench.seed}: {operation.name} {number}, killed at calls {places} of {calls}"
    operation.prepare(folder)
    for place in places:
        ending = run(bench, operation, folder, Strike(CHANGES, place, torn=torn))
        if ending.status != -signal.SIGKILL and (bad := fault(ending)):
            return Attempt("kills", operation.name, bad[0], case, bad[1])
        if half := reference.half_written(operation, folder):
            return Attempt("kills", operation.name, Outcome.OTHER, case, half)
        if ending.status != -signal.SIGKILL:
            break
    outcome, detail = restored(bench, operation, reference, folder)
    return Attempt("kills", operation.name, outcome, case, detail)
