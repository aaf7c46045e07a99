"""Signals: Ctrl-C once and twice, SIGTERM, and a pause; what was interrupted is resumed and ends the same."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from commands import cold
from interposer import CHANGES, Strike
from kills import restored, save_often, undisturbed
from outcomes import Attempt, Outcome, fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from random import Random

    from bench import Bench
    from operations import Operation, Reference

INTERRUPTED = {130: "SIGINT", 143: "SIGTERM"}
"""Exit statuses of commands that were asked to stop."""

_START_UP = 4.0
"""Seconds within which a new interpreter is still importing, on a slow machine."""


@dataclass(slots=True)
class Signals:
    """Sends signals to a process, each at its time after the first look at it."""

    plan: Sequence[tuple[float, signal.Signals]]
    begun: float | None = None
    sent: int = field(default=0)

    def __call__(self, process: int) -> None:
        """Send what is due."""
        now = time.monotonic()
        self.begun = self.begun or now
        while self.sent < len(self.plan) and now - self.begun >= self.plan[self.sent][0]:
            with suppress(ProcessLookupError):
                os.kill(process, self.plan[self.sent][1])
            self.sent += 1


def _once(at: float, dice: Random) -> list[tuple[float, signal.Signals]]:
    return [(at, dice.choice((signal.SIGINT, signal.SIGTERM)))]


def _twice(at: float, dice: Random) -> list[tuple[float, signal.Signals]]:
    return [(at, signal.SIGINT), (at + dice.choice((0.0, 0.002, 0.02, 0.1)), signal.SIGINT)]


def _paused(at: float, dice: Random) -> list[tuple[float, signal.Signals]]:
    return [(at, signal.SIGSTOP), (at + dice.uniform(0.05, 0.5), signal.SIGCONT)]


WAYS = {"stopped": _once, "Ctrl-C twice": _twice, "paused": _paused}


def interruptions(bench: Bench) -> Iterator[Attempt]:
    """Send signals to every command that writes, at random moments, and to a build that is starting up."""
    for operation in bench.operations:
        begun = time.monotonic()
        reference, _ = undisturbed(bench, operation, Strike(CHANGES))
        seconds = (time.monotonic() - begun) / 2
        for way in WAYS:
            for number in range(bench.sizes.signals):
                with bench.place(operation.name.replace(" ", "-")) as folder:
                    yield _attempt(bench, operation, way, number, reference, seconds, folder)
    yield from _starting_up(bench)


def _attempt(
    bench: Bench, operation: Operation, way: str, number: int, reference: Reference, seconds: float, folder: Path
) -> Attempt:
    dice = bench.dice("signals", operation.name, way, number)
    plan = WAYS[way](dice.uniform(0, seconds), dice)
    case = (
        f"--only signals --seed {bench.seed}: {operation.name}, {way} {number}, {plan[0][1].name} at {plan[0][0]:.2f} s"
    )
    attempt = Attempt("signals", f"{operation.name}, {way}", Outcome.RIGHT, case)
    operation.prepare(folder)
    ending = bench.warm.run(operation.words(folder), root=folder, before=_before_command, beside=Signals(plan))
    if bad := fault(ending, also=INTERRUPTED):
        return replace(attempt, outcome=bad[0], detail=bad[1])
    if half := reference.half_written(operation, folder):
        return replace(attempt, outcome=Outcome.OTHER, detail=half)
    outcome, detail = restored(bench, operation, reference, folder)
    if outcome is Outcome.RIGHT and ending.status:
        outcome = Outcome.REFUSED
    return replace(attempt, outcome=outcome, detail=detail)


def _before_command() -> None:
    """Until the command listens for signals, ignore them: a new interpreter's start is attacked apart."""
    save_often()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _starting_up(bench: Bench) -> Iterator[Attempt]:
    for number in range(bench.sizes.signals):
        dice = bench.dice("start-up", number)
        at = dice.uniform(0, _START_UP)
        case = f"--only signals --seed {bench.seed}: start-up {number}, SIGINT at {at:.2f} s"
        with bench.place() as folder:
            ending = cold(bench.world.build(folder / "names.db"), beside=Signals([(at, signal.SIGINT)]))
            bad = fault(ending, also={**INTERRUPTED, -signal.SIGINT: "SIGINT"})
        outcome, detail = bad or (Outcome.REFUSED if ending.status else Outcome.RIGHT, "")
        yield Attempt("signals", "build that is starting up, Ctrl-C", outcome, case, detail)
