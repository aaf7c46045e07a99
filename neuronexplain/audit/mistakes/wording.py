"""A mistake in words: which named neurons speak for the wrong class, and by how much its lead falls without them.

Neurons without which the lead falls by less than a hundredth are not spoken of. Where nothing can be said, that is told
and why, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain.figures import figure, figures
from neuronexplain.phrases import enumerate_words, percent, spoken, with_truths

if TYPE_CHECKING:
    from .mistakes import Mistake, SpeaksFor

_TINY = 0.01
"""Neurons without which a lead changes by less than this share are not spoken of."""

_SMALL = 0.1
"""A change of less than this share of a lead is small; of less than this share of a loss, none."""

_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def headline(mistake: Mistake) -> str:
    """The two classes, such as "wild boar, taken for bison"."""
    return f"{_shown(mistake)}, taken for {_said(mistake)}"


def say_prediction(mistake: Mistake) -> str:
    """What the network says, and where the class that is shown comes."""
    place = _ORDINALS.get(mistake.rank)
    choice = f"its {place} choice" if place else f"number {mistake.rank}"
    return (
        f"The network says {_said(mistake)} ({percent(mistake.said.probability)}); {_shown(mistake)} is {choice} "
        f"({percent(mistake.shown.probability)})."
    )


def say_apart(mistake: Mistake) -> str:
    """What tells the two classes apart, as sentences that claim no more than the numbers support."""
    sentences = " ".join(filter(None, (_for_said(mistake), _for_shown(mistake))))
    return sentences or f"No sure word tells {_said(mistake)} from {_shown(mistake)}. {mistake.unspoken}".rstrip()


def said_sides(mistake: Mistake) -> tuple[bool, bool]:
    """Whether anything can be said to speak for the said class, and whether for the shown one."""
    return _is_said(mistake.for_said, mistake.lead), _is_said(mistake.for_shown, mistake.lead)


def share_lost(mistake: Mistake) -> float:
    """The share of the wrong class's lead that is lost without the neurons that are said to speak for it."""
    side = mistake.for_said
    return side.loss / mistake.lead if side.loss is not None and _is_said(side, mistake.lead) else 0.0


def words_of(side: SpeaksFor) -> list[str]:
    """The names of what speaks for a class, each with its truth where that is known."""
    truths = {part.concept: part.truth for part in side.parts}
    return with_truths(truths, [part.concept for part in side.parts if part.is_formula])


def _for_said(mistake: Mistake) -> str:
    side, lead = mistake.for_said, mistake.lead
    if side.loss is None or not _is_said(side, lead):
        return ""
    before, rest = figures(lead, abs(lead - side.loss))
    if side.loss > lead:
        outcome = f"{_shown(mistake)} would be ahead by {rest}, where {_said(mistake)} now is by {before}"
    else:
        outcome = f"the lead of {_said(mistake)} falls from {before} to {rest}"
    return f"{_speaks(mistake, side, _said(mistake), _shown(mistake))}, and {outcome}."


def _for_shown(mistake: Mistake) -> str:
    side, lead = mistake.for_shown, mistake.lead
    if side.loss is None or not _is_said(side, lead):
        return ""
    before, more = figures(lead, lead + side.loss)
    outcome = f"the lead of {_said(mistake)} grows from {before} to {more}"
    return f"{_speaks(mistake, side, _shown(mistake), _said(mistake))}, and {outcome}."


def _is_said(side: SpeaksFor, lead: float) -> bool:
    return side.loss is not None and side.loss > 0 and side.loss >= _TINY * lead


def _speaks(mistake: Mistake, side: SpeaksFor, rather: str, than: str) -> str:
    """The neurons that speak for a class rather than another, and what becomes of both scores without them."""
    total, gain = side.loss or 0.0, side.gain or 0.0
    loss = total - gain
    falls, rises = (f"{rather} loses {figure(loss)}", f"{than} gains {figure(gain)}")
    if abs(gain) < _SMALL * total:
        stance, change = f"for {rather}", falls
    elif abs(loss) < _SMALL * total:
        stance, change = f"against {than}", rises
    elif gain < 0:
        stance, change = f"for both, and more for {rather}", f"{falls} and {than} {figure(-gain)}"
    elif loss < 0:
        stance, change = f"against both, and more against {than}", f"{rises} and {rather} {figure(-loss)}"
    else:
        stance, change = f"for {rather} and against {than}", f"{falls}, {rises}"
    is_many = sum(len(part.units) for part in side.parts) > 1
    verbs, them = ("respond and speak", "them") if is_many else ("responds and speaks", "it")
    little = " a little" if total < _SMALL * mistake.lead else ""
    its = f"Its {mistake.noun}{'s' * is_many} for {enumerate_words(words_of(side))}"
    return f"{its} {verbs}{little} {stance}: without {them}, {change}"


def _said(mistake: Mistake) -> str:
    return spoken(mistake.said.label)


def _shown(mistake: Mistake) -> str:
    return spoken(mistake.shown.label)
