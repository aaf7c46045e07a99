"""Three ways to tell how much a class leans on a concept, each with the interval of its figure.

All figures are per cent of the score: of what the units of the layer put into it to first order, for or against, which
is the sum of the magnitudes of their effects. They are quotients of sums over photographs.

``neurons``
    What the score of the class loses without the units that are named after the concept, neurons or features of a
    dictionary, over the photographs of the class. Any units hold up some of a score; so beside it stands the loss
    without as many others that are as active, and the class leans on the concept only where these hold more.
``pixels``
    How much further the score falls with the concept's pixels covered than with as many covered elsewhere.
``correlation``
    How much more the lit cells of the concept's units put into the score of the class where the concept is than where
    it is not, over all photographs that are labelled in the concept's category, with the point-biserial correlation.

The first two change something and see what becomes of the score; the third only looks on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dissection.vocabulary import THIN_EVIDENCE
from neuronexplain.counts import count
from neuronexplain.metrics.intervals import UNKNOWN, correlation, difference, figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dissection.vocabulary import UnitNoun
    from neuronexplain.metrics.intervals import Figure

    from .leaning_records import LeaningRecord

WayName = Literal["neurons", "pixels", "correlation"]
"""How it is told whether a class leans on a concept."""

Lean = Literal["leans", "against", "no", "undecided", "unknown"]
"""What a way says: the class leans on the concept; the concept speaks against it; neither, to speak of; the interval
does not tell; or nothing could be measured."""

LEAST = 1.0
"""Per cent of a score under which a figure is none to speak of: a hundredth, as in a sentence."""

_NOTHING = "no {noun} of the layer puts anything into the score of the class"


@dataclass(frozen=True, slots=True)
class Way:
    """What one way says.

    Attributes:
        name: which way.
        figure: its figure, in per cent of the score.
        excess: what of it goes beyond what other units, or other pixels, hold.
        alone: the same without that comparison.
        photographs: how many photographs it rests on; of a correlation, the fewer of those with and those without
            the concept.
        beside: further figures, by name.
        remark: why nothing could be measured, or what a reader must know; empty if nothing.
    """

    name: WayName
    figure: Figure
    excess: Figure
    alone: Figure
    photographs: int
    beside: Mapping[str, Figure]
    remark: str = ""

    @property
    def is_thin(self) -> bool:
        """Whether there are too few photographs to tell anything."""
        return self.photographs < THIN_EVIDENCE

    @property
    def lean(self) -> Lean:
        """What it says.

        A class leans on a concept if it loses more than a hundredth of its score beyond what it loses anyway; the
        concept speaks against it if it gains as much.
        """
        if np.isnan(self.figure.value):
            return "unknown"
        if self.is_thin:
            return "undecided"
        if self.excess.low > LEAST and self.alone.low > 0:
            return "leans"
        if self.excess.high < -LEAST and self.alone.high < -LEAST:
            return "against"
        is_no = min(self.excess.high, self.alone.high) <= LEAST and max(self.excess.low, self.alone.low) >= -LEAST
        return "no" if is_no else "undecided"


def neurons_way(records: Sequence[LeaningRecord], *, no_units: str, noun: UnitNoun = "neuron") -> Way:
    """The class without the concept's units.

    Args:
        records: of all photographs.
        no_units: why there is nothing to measure, if there are no units.
        noun: what readers call a unit.
    """
    tried = [(record, record.silenced) for record in records if record.silenced is not None]
    if not tried:
        return _unknown("neurons", no_units or "there is no photograph of the class")
    totals = np.array([record.total for record, _ in tried])
    if not totals.any():
        return _unknown("neurons", _NOTHING.format(noun=noun))
    losses = np.array([without.loss for _, without in tried])
    has_random = np.array([bool(without.random) for _, without in tried], float)
    random = np.array([np.mean(without.random) if without.random else 0.0 for _, without in tried])
    right, still_right = (
        100 * np.array(values, float)
        for values in ([record.is_right for record, _ in tried], [without.is_right for _, without in tried])
    )
    fallen = np.array([record.probability - without.probability for record, without in tried])
    share, ones = figure(100 * losses, totals), np.ones(len(tried))
    is_compared = bool(has_random.any())
    return Way(
        "neurons",
        share,
        difference((100 * losses, totals), (100 * random, totals * has_random)) if is_compared else share,
        share,
        len(tried),
        {
            "random": figure(100 * random, totals * has_random),
            "loss": figure(losses),
            "probability": figure(100 * fallen),
            "right": figure(right),
            "still_right": figure(still_right),
            "right_lost": difference((right, ones), (still_right, ones)),
        },
        "" if is_compared else f"there are not as many other {noun}s to compare with",
    )


def pixels_way(records: Sequence[LeaningRecord], *, no_masks: str, noun: UnitNoun = "neuron") -> Way:
    """The class with the concept's pixels covered.

    Args:
        records: of all photographs.
        no_masks: why there is nothing to measure, if there are no masks.
        noun: what readers call a unit.
    """
    tried = [(record.total, record.covered) for record in records if record.covered is not None]
    crowded = sum(record.has_no_room for record in records)
    left_out = f"in {count(crowded, 'photograph')} it leaves no room to cover as much elsewhere" if crowded else ""
    if not tried:
        nowhere = "it is labelled in no photograph of the class"
        return _unknown("pixels", no_masks or left_out or nowhere)
    totals = np.array([total for total, _ in tried])
    if not totals.any():
        return _unknown("pixels", _NOTHING.format(noun=noun))
    falls = np.array([covered.fall for _, covered in tried])
    others = np.array([np.mean(covered.elsewhere) for _, covered in tried])
    share = figure(100 * (falls - others), totals)
    return Way(
        "pixels",
        share,
        share,
        figure(100 * falls, totals),
        len(tried),
        {
            "loss": figure(falls - others),
            "fall": figure(falls),
            "elsewhere": figure(others),
            "area": figure([100 * covered.area for _, covered in tried]),
        },
        left_out,
    )


def correlation_way(
    records: Sequence[LeaningRecord], *, no_units: str, no_masks: str, noun: UnitNoun = "neuron"
) -> Way:
    """What the concept's units put into the class's score, where the concept is and where it is not.

    Args:
        records: of all photographs.
        no_units: why there is nothing to measure, if there are no units.
        no_masks: why, if there are no masks.
        noun: what readers call a unit.
    """
    known = [record for record in records if record.is_there is not None and record.lit is not None]
    if no_units or no_masks or not known:
        return _unknown("correlation", no_units or no_masks or "no photograph is labelled in its category")
    lits, totals, there = (
        np.array(values, float)
        for values in zip(*((record.lit, record.total, record.is_there) for record in known), strict=True)
    )
    if np.ptp(there) == 0:
        where = "all" if there.any() else "none"
        return _unknown("correlation", f"it is on {where} of {len(there)} photographs labelled in its category")
    if not (totals * there).any() or not (totals * (1 - there)).any():
        return _unknown("correlation", _NOTHING.format(noun=noun))
    where_it_is, elsewhere = ((100 * lits * chosen, totals * chosen) for chosen in (there, 1 - there))
    lifted = difference(where_it_is, elsewhere)
    return Way(
        "correlation",
        lifted,
        lifted,
        lifted,
        int(min(there.sum(), len(there) - there.sum())),
        {
            "correlation": correlation(lits, there),
            "there": figure(*where_it_is),
            "not_there": figure(*elsewhere),
            "lit_more": difference((lits * there, there), (lits * (1 - there), 1 - there)),
        },
        "" if np.ptp(lits) else f"these {noun}s respond nowhere in these photographs",
    )


def _unknown(name: WayName, reason: str) -> Way:
    return Way(name, UNKNOWN, UNKNOWN, UNKNOWN, 0, {}, reason)
