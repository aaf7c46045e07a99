"""Numbers as people read them in a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.figures import fixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dissection.vocabulary import Concept, Exemplar, Meaning
    from neuronexplain.answer import ExemplarPicture

TIMES = "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def percentage(share: float) -> str:
    """A probability with one decimal, never rounded up to certainty or down to nothing.

    >>> percentage(0.5), percentage(0.99996), percentage(1e-9)
    ('50.0%', '>99.9%', '<0.1%')
    """
    if share > 0.999:
        return ">99.9%"
    return f"{share:.1%}" if share >= 0.001 else "<0.1%"


def whole_percentage(share: float) -> str:
    """A share in whole per cent, which says all or none only of all or none.

    >>> [whole_percentage(share) for share in (0.42, 1, 0.996, 0, 0.004)]
    ['42%', '100%', '>99%', '0%', '<1%']
    """
    whole = f"{share:.0%}"
    if share not in {0, 1} and whole in {"0%", "100%"}:
        return "<1%" if whole == "0%" else ">99%"
    return whole


_LEAST_POWER = -300
"""Ten to the power of less than -323 is 0."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One format for a whole column: three digits for its largest value, the same decimals for all.

    Attributes:
        largest: the largest magnitude of the column.
        power: power of ten, a multiple of 3, that every value is divided by.
    """

    largest: float
    power: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """The scale of a column; values that are not finite do not count.

        >>> scale = Scale.of([0.0123, -0.0004])
        >>> scale.text(0.0123), scale.text(0.0004)
        ('+12.3', '+0.4')
        """
        largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        if largest == 0 or 0.1 <= largest < 1000:
            return cls(largest, 0)
        power = 3 * math.floor(math.log10(largest) / 3)
        return cls(largest, max(power, _LEAST_POWER))

    @property
    def factor(self) -> str:
        """The power of ten for the column's heading; empty if it is 1."""
        return f"{TIMES}10{str(self.power).translate(_SUPERSCRIPTS)}" if self.power else ""

    def text(self, value: float) -> str:
        """A value with its sign, a true minus; a value that rounds to 0 has no sign."""
        largest = self.largest / 10.0**self.power
        decimals = max(0, 2 - math.floor(math.log10(largest))) if largest else 0
        return fixed(value / 10.0**self.power, decimals, sign="+")

    def share(self, value: float) -> str:
        """Length of the value's bar, as a CSS number from 0 to 1."""
        return f"{abs(value) / self.largest:.4f}" if self.largest and math.isfinite(value) else "0"


def labelled(exemplars: Sequence[Exemplar | ExemplarPicture], meaning: Meaning) -> str:
    """On how many of a unit's exemplars what it stands for is labelled where it is most active.

    Such as ``2 of 3 are labelled sand there``; empty where none of them is labelled there at all, as in runs that do
    not say what exemplars show.
    """
    if not any(exemplar.concepts for exemplar in exemplars):
        return ""
    carrying = sum(_is_there(meaning, exemplar.concepts) for exemplar in exemplars)
    return f"{carrying} of {len(exemplars)} {'is' if carrying == 1 else 'are'} labelled {meaning.spoken} there"


def _is_there(meaning: Meaning, concepts: Sequence[Concept]) -> bool:
    return bool(meaning.holds(lambda concept: int(concept in concepts)))
