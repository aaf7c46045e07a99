"""What the score bears out of what is said of units: rankings are tried out, and reasons weighed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clauses import is_unusual, persuasive, roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jaxtyping import Int64
    from torch import Tensor

    from .causes import Seen
    from .named_layer import Ranking
    from .vocabulary import RankedUnit


def confirmed(seen: Seen, targets: Int64[Tensor, " images"], rankings: Sequence[Ranking]) -> list[Ranking]:
    """Retract what the score does not bear out.

    It must rise without the units that are said to speak against the target, and when those respond that are said to
    stay silent.
    """
    rankings = [ranking.retracted(list(filter(is_unusual, ranking.ranked)), "not lit") for ranking in rankings]
    spoken = [roles(ranking.ranked) for ranking in rankings]
    against, missed = ([by_role[role] for by_role in spoken] for role in ("against", "missed"))
    losses = seen.losses(targets, list(map(_numbers, against)))
    gains = seen.gains(targets, list(map(_numbers, missed)))
    return [
        ranking.retracted(units_against, "unclear effect").retracted(units_missed, "not lit")
        for ranking, units_against, units_missed in zip(
            rankings,
            [units if loss >= 0 else [] for units, loss in zip(against, losses, strict=True)],
            [units if gain <= 0 else [] for units, gain in zip(missed, gains, strict=True)],
            strict=True,
        )
    ]


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
