"""How an attack ended, and the table that counts endings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from commands import MOST_MEMORY

if TYPE_CHECKING:
    from collections.abc import Collection

    from commands import Ending


class Outcome(StrEnum):
    """The columns of the table."""

    REFUSED = "refused in one line"
    RIGHT = "right"
    OTHER_DATA = "other data"
    TRACEBACK = "tracebacks"
    HANG = "hangs"
    MEMORY = "memory over 2 GB"
    LEFT_OVER = "left-overs"
    OTHER = "silently other"


FAULTS = (Outcome.TRACEBACK, Outcome.HANG, Outcome.MEMORY, Outcome.LEFT_OVER, Outcome.OTHER)
"""The columns that should hold 0."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack.

    Attributes:
        subject: what is attacked; a part of the table.
        row: the row of the table.
        outcome: how it ended.
        case: how to repeat it.
        detail: what was seen, for faults.
    """

    subject: str
    row: str
    outcome: Outcome
    case: str
    detail: str = ""


def fault(ending: Ending, also: Collection[int] = (), *, is_silent: bool = False) -> tuple[Outcome, str] | None:
    """What is wrong with the way a command ended, if anything.

    Args:
        ending: how it ended.
        also: exit statuses that are in order besides 0 and 2.
        is_silent: whether its one line could not be seen.
    """
    lines = refusals(ending)
    if ending.hung:
        return Outcome.HANG, ending.err[-200:]
    if ending.peak > MOST_MEMORY or any("out of memory" in line for line in lines):
        return Outcome.MEMORY, f"{ending.peak >> 20} MB; {' '.join(lines)}"
    text = ending.out + ending.err
    if "Traceback (most recent call last)" in text or "this is a bug in" in text or ending.status not in {0, 2, *also}:
        return Outcome.TRACEBACK, f"status {ending.status}; {ending.err[-400:]}"
    if ending.status == 2 and len(lines) != 1 and not is_silent:
        return Outcome.TRACEBACK, f"{len(lines)} lines; {ending.err[-400:]}"
    return None


def refusals(ending: Ending) -> list[str]:
    """The lines in which a command says why it fails."""
    return [line for line in ending.err.splitlines() if line.startswith("neuronexplain: ")]


@dataclass(slots=True)
class Table:
    """Attempts, counted by row and outcome."""

    counts: dict[tuple[str, str], Counter[Outcome]] = field(default_factory=dict)
    faults: list[Attempt] = field(default_factory=list)

    def add(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.counts.setdefault((attempt.subject, attempt.row), Counter())[attempt.outcome] += 1
        if attempt.outcome in FAULTS:
            self.faults.append(attempt)

    @property
    def tried(self) -> int:
        """Number of attempts."""
        return sum(counter.total() for counter in self.counts.values())

    def markdown(self) -> str:
        """The table, with a row of sums."""
        rows = [(f"{subject}: {row}", counter) for (subject, row), counter in self.counts.items()]
        rows.append(("all", sum((counter for _, counter in rows), Counter())))
        lines = [
            f"| attack | tried | {' | '.join(Outcome)} |",
            f"|---|{'---:|' * (1 + len(Outcome))}",
            *(
                f"| {name} | {counter.total():,} | {' | '.join(f'{counter[outcome]:,}' for outcome in Outcome)} |"
                for name, counter in rows
            ),
        ]
        return "\n".join(lines)
