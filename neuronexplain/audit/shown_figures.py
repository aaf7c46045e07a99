"""Figures of audits as people read them, each with its interval."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from neuronexplain.figures import fixed

if TYPE_CHECKING:
    from neuronexplain.metrics.intervals import Figure


def in_percent(figure: Figure) -> str:
    """A share in whole per cent.

    >>> from neuronexplain.metrics.small_samples import share
    >>> in_percent(share(191, 300)), in_percent(share(0, 0))
    ('64% (58 to 69%)', 'unknown')
    """
    if not figure.images:
        return "unknown"
    value, low, high = (fixed(100 * number, 0) for number in (figure.value, figure.low, figure.high))
    return f"{value}% ({low} to {high}%)"


def in_points(figure: Figure) -> str:
    """A difference of shares, in percentage points.

    >>> from neuronexplain.metrics.small_samples import difference_of_shares, share
    >>> in_points(difference_of_shares(share(56, 70), share(48, 80)))
    '+20 (+5 to +33)'
    """
    if not figure.images:
        return "unknown"
    value, low, high = (fixed(100 * number, 0, sign="+") for number in (figure.value, figure.low, figure.high))
    return f"{value} ({low} to {high})"


def with_sign(figure: Figure, decimals: int = 2) -> str:
    """A figure that may be below 0; of one photograph it has no interval.

    >>> from neuronexplain.metrics.small_samples import mean_of
    >>> with_sign(mean_of([1.0, 2.0, 3.0])), with_sign(mean_of([1.0]))
    ('+2.00 (\N{MINUS SIGN}0.48 to +4.48)', '+1.00')
    """
    value, low, high = (
        fixed(number, decimals, sign="+") if isfinite(number) else ""
        for number in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low} to {high})" if low and high else value
