"""What the score bears out of what is said of units: rankings are tried out, and reasons weighed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from .clauses import is_unusual, persuasive, roles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jaxtyping import Int64
    from torch import Tensor

    from .causes import Seen
    from .named_layer import Ranking
    from .vocabulary import Clause, RankedUnit, Role


@dataclass(frozen=True, slots=True)
class _Trial:
    """A change of the units of one name, which tells whether the score bears out what is said of them.

    Attributes:
        role: what is said of them.
        units: the units.
    """

    role: Role
    units: tuple[RankedUnit, ...]

    @property
    def is_on(self) -> bool:
        """Whether they are switched on by their lit maps, and not silenced."""
        return self.role in {"missed", "absent"}

    def settled(self, ranking: Ranking, rise: float) -> Ranking:
        """The ranking, with what is said of the units after the score has risen so much, or fallen."""
        match self.role:
            case "torn" if rise:
                outweighed: Clause = "against" if rise < 0 else "responds"
                return ranking.with_clause([unit for unit in self.units if unit.clause == outweighed], "outweighed")
            case "against" if rise <= 0:
                return ranking.with_clause(self.units, "unclear effect")
            case "missed" if rise <= 0:
                return ranking.with_clause(self.units, "not lit")
            case "absent" if rise >= 0:
                return ranking.with_clause(self.units, "not lit")
        return ranking


def confirmed(seen: Seen, targets: Int64[Tensor, " images"], rankings: Sequence[Ranking]) -> list[Ranking]:
    """Try out what is said of each name but reasons, see :mod:`neuronexplain.clauses`, and retract what does not hold.

    Whether the score falls when what is absent responds cannot be tried with units whose lit map is not kept.
    """
    rankings = [ranking.with_clause(list(filter(is_unusual, ranking.ranked)), "not lit") for ranking in rankings]
    return _tried(rankings, ("torn", "against", "missed", "absent"), partial(_rises, seen, targets))


def weighed_for_lead(
    seen: Seen, targets: Int64[Tensor, " images"], others: Int64[Tensor, " images"], rankings: Sequence[Ranking]
) -> list[Ranking]:
    """Weigh the names that pull both ways in the lead of one class over another; nothing else is said but reasons."""

    def rises(trials: Sequence[_Trial | None]) -> list[float]:
        of_first, of_second = _rises(seen, targets, trials), _rises(seen, others, trials)
        return [first - second for first, second in zip(of_first, of_second, strict=True)]

    return _tried(rankings, ("torn",), rises)


def _tried(
    rankings: Sequence[Ranking], tried: Sequence[Role], rises: Callable[[Sequence[_Trial | None]], list[float]]
) -> list[Ranking]:
    """Settle what is said in some roles, one name of each image at a time."""
    settled = list(rankings)
    trials = [list(_trials(ranking, tried)) for ranking in rankings]
    for turn in range(max(map(len, trials), default=0)):
        of_turn = [of_image[turn] if turn < len(of_image) else None for of_image in trials]
        settled = [
            trial.settled(ranking, rise) if trial else ranking
            for ranking, trial, rise in zip(settled, of_turn, rises(of_turn), strict=True)
        ]
    return settled


def _trials(ranking: Ranking, tried: Sequence[Role]) -> Iterator[_Trial]:
    by_role = roles(ranking.ranked)
    for role in tried:
        for units in _by_name(by_role[role]):
            if role != "absent" or any(unit.potential is not None for unit in units):
                yield _Trial(role, units)


def _by_name(units: Iterable[RankedUnit]) -> list[tuple[RankedUnit, ...]]:
    by_name: dict[str, tuple[RankedUnit, ...]] = {}
    for unit in units:
        if unit.meaning is not None:
            by_name[unit.meaning.spoken] = (*by_name.get(unit.meaning.spoken, ()), unit)
    return list(by_name.values())


def _rises(seen: Seen, targets: Int64[Tensor, " images"], trials: Sequence[_Trial | None]) -> list[float]:
    """By how much each image's score rises by the change of its trial."""
    off, on = (
        [_numbers(trial.units) if trial and trial.is_on is is_on else [] for trial in trials] for is_on in (False, True)
    )
    losses, gains = seen.losses(targets, off), seen.gains(targets, on)
    return [gain if trial and trial.is_on else -loss for trial, gain, loss in zip(trials, gains, losses, strict=True)]


def _numbers(units: Iterable[RankedUnit]) -> list[int]:
    return [unit.unit for unit in units]


def losses_without_reasons(
    seen: Seen, targets: Int64[Tensor, " images"], rankings: Sequence[Ranking]
) -> list[float | None]:
    """What each image's score loses without the units that are said to speak for it."""
    reasons = [_numbers(persuasive(ranking.ranked)) for ranking in rankings]
    losses = seen.losses(targets, reasons)
    return [loss if units else None for loss, units in zip(losses, reasons, strict=True)]


def losses_of_lead(
    seen: Seen, targets: Int64[Tensor, " images"], others: Int64[Tensor, " images"], rankings: Sequence[Ranking]
) -> list[tuple[float, float] | None]:
    """What each image's lead of one class over another loses without the units that are said to speak for it.

    Returns:
        The loss, and what of it the other class gains.
    """
    reasons = [_numbers(persuasive(ranking.ranked)) for ranking in rankings]
    losses = zip(seen.losses(targets, reasons), seen.losses(others, reasons), strict=True)
    return [
        (loss - of_other, -of_other) if units else None for (loss, of_other), units in zip(losses, reasons, strict=True)
    ]
