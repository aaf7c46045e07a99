"""Turns an explanation into plain English that claims no more than the numbers show.

Which clause a unit has a right to, :mod:`neuronexplain.clauses` says. Units of one name are one mention, with the
greatest truth of its units; a mention that responds is a reason only if the score falls without all that are mentioned
so. What is not spoken of is counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from .clauses import roles
from .figures import figure, figures
from .mentions import Mentions
from .phrases import enumerate_words, percent, phrase, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dissection.vocabulary import Meaning, UnitNoun

    from .vocabulary import RankedUnit, Rules, Score, Unspoken


class Ranked(Protocol):
    """The strongest neurons of an explanation or a contrast."""

    @property
    def top(self) -> Sequence[RankedUnit]:
        """The units that speak most for it, strongest first."""
        ...

    @property
    def bottom(self) -> Sequence[RankedUnit]:
        """The units that speak most against it, strongest first."""
        ...

    @property
    def passed_over(self) -> Sequence[RankedUnit]:
        """Units that would be among the strongest if all were ranked."""
        ...

    @property
    def noun(self) -> UnitNoun:
        """What readers call a unit."""
        ...


class Spoken(Protocol):
    """The part of an explanation that its sentence is made of."""

    @property
    def prediction(self) -> Score:
        """The class the network finds most probable."""
        ...

    @property
    def target(self) -> Score:
        """The class that is explained."""
        ...

    @property
    def top(self) -> Sequence[RankedUnit]:
        """The units that speak most for the target, strongest first."""
        ...

    @property
    def bottom(self) -> Sequence[RankedUnit]:
        """The units that speak most against it, strongest first."""
        ...

    @property
    def rules(self) -> Rules:
        """Which units were ranked, and what may be said of them."""
        ...

    @property
    def passed_over(self) -> Sequence[RankedUnit]:
        """Units that would be among the strongest if all were ranked."""
        ...

    @property
    def has_evidence(self) -> bool:
        """Whether evidence is kept for the names."""
        ...

    @property
    def loss(self) -> float | None:
        """What the target's score loses without the units that are said to speak for it; ``None`` if none is."""
        ...

    @property
    def constant_alpha(self) -> bool:
        """Whether alphas are the same for every image."""
        ...

    @property
    def noun(self) -> UnitNoun:
        """What readers call a unit."""
        ...


def say(explanation: Spoken, *, mention: Callable[[Meaning], str] = phrase) -> str:
    """The explanation as sentences that claim no more than its numbers support.

    Args:
        explanation: the explanation.
        mention: how what units stand for is worded where the sentence speaks of them.
    """
    ranked = (*explanation.top, *explanation.bottom)
    by_role = {role: Mentions.of(units, mention, explanation.noun) for role, units in roles(ranked).items()}
    responding, absent, torn = by_role["responds"], by_role["absent"], by_role["torn"]
    too = " too" if responding else ""
    against_it = f"{too}, which speaks against {spoken(explanation.target.label)}"
    has_reason = absent or (responding and _is_cause(explanation))
    for_it = f"would speak for it{' too' if has_reason else ''}, but"
    sentences = [
        _reason(explanation, responding, absent, has_torn=bool(torn)),
        by_role["against"].sentence(f"responds{against_it}", f"respond{against_it}"),
        by_role["missed"].sentence(f"{for_it} stays silent", f"{for_it} stay silent"),
        torn.sentence("pulls both ways", "pull both ways"),
        say_unspoken(explanation),
        _constant(explanation),
        "" if explanation.has_evidence else "No evidence is kept for these names: build again.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


class SpokenContrast(Protocol):
    """The part of a contrast that its sentence is made of."""

    @property
    def rather(self) -> Score:
        """The first class."""
        ...

    @property
    def than(self) -> Score:
        """The second class."""
        ...

    @property
    def top(self) -> Sequence[RankedUnit]:
        """The units that speak most for the first class rather than the second."""
        ...

    @property
    def bottom(self) -> Sequence[RankedUnit]:
        """The units that speak most for the second class rather than the first."""
        ...

    @property
    def loss(self) -> float | None:
        """What the lead of the first class loses without those that are said to; ``None`` if none is."""
        ...

    @property
    def lead(self) -> float:
        """By how much the score of the first class exceeds that of the second."""
        ...

    @property
    def noun(self) -> UnitNoun:
        """What readers call a unit."""
        ...


def say_contrast(contrast: SpokenContrast) -> str:
    """What speaks for one class rather than another, as a sentence that claims no more than its numbers support."""
    rather, than = spoken(contrast.rather.label), spoken(contrast.than.label)
    responding = Mentions.of(roles((*contrast.top, *contrast.bottom))["responds"], phrase, contrast.noun)
    if not responding or contrast.loss is None or contrast.loss <= 0:
        return f"No {contrast.noun} of which something may be said speaks for {rather} rather than {than}."
    it = "them" if responding.are_many else "it"
    before, after = figures(contrast.lead, contrast.lead - contrast.loss)
    subject = responding.subject("responds and speaks", "respond and speak")
    return (
        f"{subject[0].upper()}{subject[1:]} for {rather} rather than {than}: without {it}, "
        f"the score of {rather} less that of {than} falls from {before} to {after}."
    )


def say_unlabelled(explanation: Spoken) -> str:
    """What the explanation says without naming prediction or target: for readers who are to guess or judge them."""
    ranked = (*explanation.top, *explanation.bottom)
    by_role = {role: Mentions.of(units, phrase, explanation.noun) for role, units in roles(ranked).items()}
    responding, absent = by_role["responds"], by_role["absent"]
    if responding and _is_cause(explanation):
        reason = responding.sentence("responds", "respond").rstrip(".")
        reason = f"{reason}; {_loss(explanation, responding, absent)}."
    else:
        reason = responding.sentence(*_no_cause(explanation))
    against_it, stays = "which speaks against it", "would speak for it, but"
    sentences = [
        reason,
        f"There is {absent.lacking()}." if absent else "",
        by_role["against"].sentence(f"responds, {against_it}", f"respond, {against_it}"),
        by_role["missed"].sentence(f"{stays} stays silent", f"{stays} stay silent"),
        by_role["torn"].sentence("pulls both ways", "pull both ways"),
    ]
    return " ".join(filter(None, sentences)) or nothing_to_say(explanation.noun)


def nothing_to_say(noun: UnitNoun) -> str:
    """What :func:`say_unlabelled` says where no unit is spoken of."""
    return f"Nothing can be said of its {noun}s."


_UNSPOKEN: Mapping[Unspoken, tuple[str, str]] = {
    "no name": ("without a name", "without a name"),
    "no proven name": ("without a proven name", "without a proven name"),
    "not lit": ("that does not respond", "that do not respond"),
    "true too rarely": ("whose concept is too often not there", "whose concepts are too often not there"),
    "unclear effect": ("whose effect is unclear", "whose effects are unclear"),
}
"""What is said of one such unit, and of several."""


def _reason(explanation: Spoken, responding: Mentions, absent: Mentions, *, has_torn: bool) -> str:
    """The prediction, what speaks for it, and what the score loses without that."""
    opening, is_cause = _opening(explanation), _is_cause(explanation)
    is_predicted = explanation.target.index == explanation.prediction.index
    responds = responding.subject("responds", "respond") if responding and is_cause else ""
    lacks = f"there is {absent.lacking()}" if absent else ""
    reasons = [reason for reason in (responds, lacks) if reason]
    no_cause = "" if is_cause else responding.sentence(*_no_cause(explanation))
    if not reasons:
        nothing = "" if no_cause else f"; {_nothing(explanation, has_torn=has_torn)}"
        return f"{opening}{nothing}. {no_cause}".rstrip()
    loss = f"; {_loss(explanation, responding, absent)}" if responds else ""
    if is_predicted:
        because = f"{_strength(explanation) if responds else ''}because {', and '.join(reasons)}"
    else:
        opening, because = f"{opening};", f"what speaks for {_target(explanation)} is that {' and that '.join(reasons)}"
    return f"{opening} {because}{loss}. {no_cause}".rstrip()


_SMALL = 0.1
"""A reason whose loss is under this share of the score is a small part of it."""

_TINY = 0.01
"""Units whose loss is under this share of the score are no reason."""


def _no_cause(explanation: Spoken) -> tuple[str, str]:
    """What is said of one unit that responds and is no reason, and of several."""
    falls = "hardly falls" if (explanation.loss or 0.0) > 0 else "does not fall"
    return f"responds, but the score {falls} without it", f"respond, but the score {falls} without them"


def _is_cause(explanation: Spoken) -> bool:
    """Whether the score falls, and not just a little, without the units that respond and speak for the target."""
    score, loss = explanation.target.logit, explanation.loss or 0.0
    return loss > 0 and loss >= _TINY * score


def _opening(explanation: Spoken) -> str:
    prediction, target = explanation.prediction, explanation.target
    says = f"The network says {_score(prediction)}"
    if target.index == prediction.index:
        return says
    return f"{says} and gives {spoken(target.label)} {percent(target.probability)}"


def _target(explanation: Spoken) -> str:
    is_predicted = explanation.target.index == explanation.prediction.index
    return "it" if is_predicted else spoken(explanation.target.label)


def _strength(explanation: Spoken) -> str:
    """A word for reasons without which the score is almost what it was."""
    score, loss = explanation.target.logit, explanation.loss or 0.0
    return "in small part " if loss < _SMALL * score else ""


def _loss(explanation: Spoken, responding: Mentions, absent: Mentions) -> str:
    """How much the score falls without the units that respond."""
    score, loss = explanation.target.logit, explanation.loss or 0.0
    if absent:
        without = f"these {explanation.noun}s" if responding.are_many else f"this {explanation.noun}"
    else:
        without = "them" if responding.are_many else "it,"
    falls = f"{figure(loss)} of {figure(score)}" if loss <= score else f"{figure(loss)}, from {figure(score)}"
    return f"without {without} its score falls by {falls}"


def _nothing(explanation: Spoken, *, has_torn: bool) -> str:
    """Why nothing is said to speak for the target."""
    target, a_name = _target(explanation), "a proven name" if explanation.has_evidence else "a name"
    for_it = [
        unit for unit in (*explanation.top, *explanation.passed_over) if getattr(unit, explanation.rules.rank_by) > 0
    ]
    named = [unit for unit in for_it if unit.clause not in {"no name", "no proven name"}]
    if not for_it:
        return f"no {explanation.noun} speaks for {target}"
    if has_torn:
        return f"no concept speaks for {target} alone"
    if not named:
        return f"none of the {explanation.noun}s that speak most for {target} has {a_name}"
    if not any(unit.lit for unit in named):
        return f"no {explanation.noun} with {a_name} responds among those that speak most for {target}"
    return (
        f"of the {explanation.noun}s that speak most for {target}, none that responds is sure enough to be called a "
        "reason"
    )


def _score(score: Score) -> str:
    return f"{spoken(score.label)} ({percent(score.probability)})"


def say_unspoken(explanation: Ranked) -> str:
    """What is among the strongest neurons and not spoken of, counted; empty if nothing is."""
    units = (*explanation.top, *explanation.bottom, *explanation.passed_over)
    counts = Counter(unit.clause for unit in units if not unit.is_spoken)
    parts: list[str] = []
    for reason, (of_one, of_many) in _UNSPOKEN.items():
        if count := counts[reason]:
            noun = "" if parts else f" {explanation.noun}{'' if count == 1 else 's'}"
            parts.append(f"{count}{noun} {of_one if count == 1 else of_many}")
    return f"Not spoken of: {enumerate_words(parts)}." if parts else ""


def _constant(explanation: Spoken) -> str:
    if not explanation.constant_alpha or explanation.rules.rank_by != "alpha":
        return ""
    target = spoken(explanation.target.label)
    return f"This network weighs its {explanation.noun}s alike in every image: they rank the same for each {target}."
