"""Builds of several processes of which one is killed, in start-up too: one line, and the next build ends the same."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from commands import launched
from operations import contents
from outcomes import Attempt, Outcome, fault, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench import Bench
    from commands import Ending

_RANKS = 2
_PATIENCE = 180.0
"""Seconds: torchrun and each of its processes import for many."""


@dataclass(slots=True)
class _Killer:
    """Kills one of torchrun's processes some time after they are there."""

    rank: int
    delay: float
    deadline: float | None = field(default=None)
    is_done: bool = field(default=False)

    def __call__(self, launcher: int) -> None:
        if self.is_done:
            return
        children = _children(launcher)
        if len(children) < _RANKS:
            return
        self.deadline = self.deadline or time.monotonic() + self.delay
        if time.monotonic() >= self.deadline:
            with suppress(ProcessLookupError):
                os.kill(children[self.rank], signal.SIGKILL)
            self.is_done = True


def killed_ranks(bench: Bench) -> Iterator[Attempt]:
    """Kill one of the processes of a build, at a moment drawn between its start and its end."""
    if not bench.sizes.ranks:
        return
    with bench.place("ranks") as folder:
        begun = time.monotonic()
        ending = _build(bench, folder)
        if ending.status:
            raise RuntimeError(f"a build of {_RANKS} processes fails undisturbed: {ending.err}")
        seconds, alone = time.monotonic() - begun, contents(folder)
    for number in range(bench.sizes.ranks):
        with bench.place("ranks") as folder:
            yield _attempt(bench, folder, number, seconds, alone)


def _attempt(bench: Bench, folder: Path, number: int, seconds: float, alone: dict[str, str]) -> Attempt:
    dice = bench.dice("ranks", number)
    killer = _Killer(dice.randrange(_RANKS), dice.uniform(0, seconds))
    case = f"--only ranks --seed {bench.seed}: {number}, process {killer.rank} killed after {killer.delay:.2f} s"
    ending = _build(bench, folder, killer)
    row = f"one of {_RANKS} processes of a build killed"
    attempt = Attempt("ranks", row, Outcome.REFUSED if ending.status else Outcome.RIGHT, case)
    if ending.status and not ending.hung and _nobody_could_speak(ending):
        attempt = replace(attempt, row=f"{row}, when no other listened")
    elif ending.status and not ending.hung:  # torchrun ends with 1, and writes a traceback of its own after our line
        if len(refusals(ending)) != 1 or str(bench.world.folder) in ending.err.partition("Traceback")[2]:
            return replace(attempt, outcome=Outcome.TRACEBACK, detail=ending.err[-1500:])
    elif bad := fault(ending):
        return replace(attempt, outcome=bad[0], detail=bad[1])
    again = _build(bench, folder)
    if again.status or not set(alone.items()) <= set(contents(folder).items()):
        return replace(attempt, outcome=Outcome.OTHER, detail=f"status {again.status}: {again.err[-300:]}")
    if extra := sorted(set(contents(folder)) - set(alone)):
        return replace(attempt, outcome=Outcome.LEFT_OVER, detail=", ".join(extra[:5]))
    return attempt


def _nobody_could_speak(ending: Ending) -> bool:
    """Whether each process but the killed one ended well, or by torchrun's SIGTERM itself; torchrun lists the others.

    The system ends a process by SIGTERM only until it has a handler of its own. Ours is there within milliseconds of
    the package's first line: a test sees to it that nothing that takes time is imported before.
    """
    statuses = sorted(map(int, re.findall(r"exitcode  : (-?\d+)", ending.err)), reverse=True)
    return not refusals(ending) and statuses in ([-signal.SIGTERM, -signal.SIGKILL], [-signal.SIGKILL])


def _build(bench: Bench, folder: Path, killer: _Killer | None = None) -> Ending:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={_RANKS}"]
    words = map(str, bench.world.build(folder / "names.db"))
    return launched([*launcher, "-m", "neuronexplain", *words], beside=killer, patience=_PATIENCE)


def _children(process: int) -> list[int]:
    with suppress(OSError):
        return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []
