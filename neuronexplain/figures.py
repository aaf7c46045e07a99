"""Numbers as people read them in sentences and tables; files for programs keep plain numbers."""

from __future__ import annotations

import re
from math import floor, log10

MINUS = "\N{MINUS SIGN}"


def figure(value: float) -> str:
    """A number with two digits that count, and no fewer than its whole part has.

    >>> figure(4.13), figure(5), figure(23.6), figure(1234.5), figure(0.0312)
    ('4.1', '5.0', '24', '1234', '0.031')
    """
    return fixed(value, _decimals(value))


def figures(one: float, other: float) -> tuple[str, str]:
    """Two numbers to be compared: with the same decimals, and as many as tell them apart.

    >>> figures(4.9, 4.99), figures(23.61, 23.58), figures(24, 0.31)
    (('4.9', '5.0'), ('23.61', '23.58'), ('24.0', '0.3'))
    """
    fewer, more = sorted((_decimals(one), _decimals(other)))
    decimals = min(more, fewer + 1)
    while one != other and decimals < _MOST_DECIMALS and fixed(one, decimals) == fixed(other, decimals):
        decimals += 1
    return fixed(one, decimals), fixed(other, decimals)


def fixed(value: float, decimals: int, *, sign: str = "-") -> str:
    """A number with these decimals and a true minus; one that rounds to 0 has no sign.

    Args:
        value: the number.
        decimals: how many.
        sign: ``+`` writes the sign of positive numbers too.

    >>> fixed(-0.04, 1), fixed(2, 1, sign="+")
    ('0.0', '+2.0')
    """
    rounded = round(value, decimals)
    return true_minus(f"{rounded:{sign}.{decimals}f}") if rounded else f"{0:.{decimals}f}"


def true_minus(number: str) -> str:
    """A number that was written with a hyphen, with a minus; exponents stay.

    >>> true_minus("-1.5e-07") == MINUS + "1.5e-07"
    True
    """
    return re.sub(r"(?<!e)-", MINUS, number)


_MOST_DECIMALS = 9


def _decimals(value: float) -> int:
    rounded = abs(float(f"{value:.1e}"))
    return max(0, 1 - floor(log10(rounded))) if rounded else 0
