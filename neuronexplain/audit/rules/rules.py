"""Judges rules: each is kept, broken or undecided; of an undecided one it is said what data would decide it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dissection.vocabulary import THIN_EVIDENCE
from neuronexplain.audit.effect.verdicts import with_unit
from neuronexplain.audit.effect.ways import LEAST
from neuronexplain.counts import count
from neuronexplain.evaluation.tables import plain

if TYPE_CHECKING:
    from neuronexplain.audit.effect.effect import Reliance
    from neuronexplain.audit.effect.ways import Way
    from neuronexplain.metrics.intervals import Figure

    from .rules_file import LeaningRule

RuleOutcome = Literal["kept", "broken", "undecided"]
"""What becomes of a rule."""

_TOO_MANY = 10_000
"""More photographs than anybody adds to decide a rule."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedRule:
    """A rule, and what was found of it.

    Attributes:
        rule: the rule.
        reliance: how much its class leans on its concept.
        outcome: what becomes of it.
        message: why, in a sentence without its end.
    """

    rule: LeaningRule
    reliance: Reliance
    outcome: RuleOutcome
    message: str

    @property
    def way(self) -> Way:
        """The way that decides it."""
        return self.reliance.way(self.rule.way)

    def to_json(self) -> dict[str, object]:
        """JSON values."""
        rule = self.rule
        return {
            "name": rule.name,
            "class": self.reliance.leaning.label,
            "concept": self.reliance.leaning.concept.spoken,
            "way": rule.way,
            "at_most": rule.at_most,
            "at_least": rule.at_least,
            "must_lean": rule.must_lean,
            "outcome": self.outcome,
            "message": self.message,
            "figure": plain(self.way.figure),
            "excess": plain(self.way.excess),
            "photographs": self.way.photographs,
        }


def judged(rule: LeaningRule, reliance: Reliance) -> JudgedRule:
    """Judge a rule by what was measured.

    A limit is decided where the whole interval lies on one side of it, and at least ``THIN_EVIDENCE`` photographs were
    looked at. That a class must lean on a concept is decided as the way decides it.
    """
    way = reliance.way(rule.way)
    if way.lean == "unknown":
        return JudgedRule(rule, reliance, "undecided", f"{rule.demand}: {way.remark}{_other_ways(rule, reliance)}")
    if way.is_thin:
        few = count(way.photographs, "photograph")
        more = (
            f"{few} {'is' if way.photographs == 1 else 'are'} too few: {_more(THIN_EVIDENCE - way.photographs, rule)}"
        )
        return JudgedRule(rule, reliance, "undecided", f"{rule.demand}: {more}")
    outcome, limit = (_leaning(way), LEAST) if rule.must_lean else _limited(rule, way.figure)
    decisive = way.excess if rule.must_lean else way.figure
    beyond = " beyond others" if rule.must_lean and rule.way == "neurons" else ""
    message = f"{rule.demand}: it is {with_unit(decisive, ' %')}{beyond}"
    if outcome == "undecided":
        message = f"{message}; {_deciding(decisive, limit, way.photographs, rule)}"
    return JudgedRule(rule, reliance, outcome, message)


def _leaning(way: Way) -> RuleOutcome:
    outcomes: dict[str, RuleOutcome] = {"leans": "kept", "no": "broken", "against": "broken"}
    return outcomes.get(way.lean, "undecided")


def _limited(rule: LeaningRule, share: Figure) -> tuple[RuleOutcome, float]:
    if rule.at_most is not None:
        kept, broken, limit = share.high <= rule.at_most, share.low > rule.at_most, rule.at_most
    else:
        limit = rule.at_least or 0.0
        kept, broken = share.low >= limit, share.high < limit
    return "kept" if kept else "broken" if broken else "undecided", limit


def _deciding(share: Figure, limit: float, photographs: int, rule: LeaningRule) -> str:
    """What data would decide it: an interval narrows with the root of the number of photographs."""
    distance = abs(share.value - limit)
    half = share.high - share.value if share.value < limit else share.value - share.low
    needed = photographs * (half / distance) ** 2 if distance > 0 else math.inf
    if needed - photographs > _TOO_MANY:
        return f"that is at the limit of {limit:g} %, and more photographs will hardly decide it; set another limit"
    return _more(max(1, math.ceil(needed) - photographs), rule)


def _more(photographs: int, rule: LeaningRule) -> str:
    """How many more photographs would do, and of what."""
    of_what = {
        "neurons": f"of {rule.target}",
        "pixels": f"of {rule.target} with masks of {rule.concept}",
        "correlation": f"with and without {rule.concept}, labelled",
    }[rule.way]
    return f"about {count(photographs, 'more photograph')} {of_what} would decide it"


def _other_ways(rule: LeaningRule, reliance: Reliance) -> str:
    """Which way would do instead, where this one has nothing to measure."""
    others = [way.name for way in reliance.ways if way.name != rule.way and way.lean != "unknown"]
    return f'; way = "{others[0]}" has something to measure' if others else ""
