"""Explanation in, plain English out. No claim beyond the numbers.

What is said of a named unit among the strongest (Grad-CAM paper, Sec. 7: *persuasive* and *inhibitive*):

============  =========================  ====================================================
unit          active in this image       silent
============  =========================  ====================================================
persuasive    "it sees sand"             "umbrella would speak for it too, but it sees none"
inhibitive    "it sees bed, although"    "there is no bed"
============  =========================  ====================================================

"There is no bed" is said only where *every* unit that is named after bed is silent. Units of one name are one
mention. Units without a name are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dissection.vocabulary import Concept

    from .explanation import Explanation, RankedUnit, Score


@dataclass(frozen=True, slots=True)
class _Mentions:
    """Phrases for concepts, each at most once, strongest first."""

    seen: tuple[str, ...]
    absent: tuple[str, ...]
    against: tuple[str, ...]
    missed: tuple[str, ...]
    torn: tuple[str, ...]


def say(explanation: Explanation) -> str:
    """The explanation as sentences that claim no more than its numbers support."""
    mentions = _mentions(explanation)
    sentences = [
        _reason(explanation, mentions),
        _against(mentions.against, explanation.target.label),
        _missed(mentions.missed),
        _torn(mentions.torn),
        _unnamed([*explanation.top, *explanation.bottom]),
        _constant(explanation),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def phrase(concept: Concept) -> str:
    """A concept as it stands in a sentence.

    >>> from dissection.vocabulary import Concept
    >>> phrase(Concept(7, "striped", "texture"))
    'striped texture'
    """
    return {"texture": f"{concept.spoken} texture", "scene": f"{concept.spoken} scenery"}.get(
        concept.category, concept.spoken
    )


def enumerate_words(words: Sequence[str], conjunction: str = "and") -> str:
    """Words as an English list.

    >>> enumerate_words(["sand", "sea", "sky"])
    'sand, sea and sky'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def percent(probability: float) -> str:
    """A probability in whole per cent that never rounds to certainty.

    >>> percent(0.9999), percent(0.42), percent(0.001)
    ('over 99%', '42%', 'under 1%')
    """
    if probability > 0.99:
        return "over 99%"
    if probability < 0.01:
        return "under 1%"
    return f"{probability:.0%}"


def _mentions(explanation: Explanation) -> _Mentions:
    seen = _phrases(explanation.top, active=True)
    against = _phrases(explanation.bottom, active=True)
    silent = frozenset(_phrases([*explanation.top, *explanation.bottom], active=False)) - {
        phrase(unit.name.concept)
        for unit in (*explanation.top, *explanation.bottom)
        if unit.name and unit.name.concept.spoken in explanation.active_concepts
    }
    wanted = _phrases(explanation.top, active=False)
    unwanted = _phrases(explanation.bottom, active=False)
    return _Mentions(
        seen=tuple(word for word in seen if word not in against),
        absent=tuple(word for word in unwanted if word in silent and word not in wanted),
        against=tuple(word for word in against if word not in seen),
        missed=tuple(word for word in wanted if word in silent and word not in unwanted),
        torn=tuple(word for word in seen if word in against),
    )


def _phrases(units: Iterable[RankedUnit], *, active: bool) -> list[str]:
    return list(dict.fromkeys(phrase(unit.name.concept) for unit in units if unit.name and unit.active == active))


def _reason(explanation: Explanation, mentions: _Mentions) -> str:
    prediction, target = explanation.prediction, explanation.target
    says = f"The network says {_score(prediction)}"
    sees = f"it sees {enumerate_words(mentions.seen)}" if mentions.seen else ""
    lacks = f"there is no {enumerate_words(mentions.absent, 'or')}" if mentions.absent else ""
    if target.index != prediction.index:
        reasons = " and that ".join(part for part in (sees, lacks) if part)
        for_it = f"what speaks for {target.label} is that {reasons}" if reasons else _nothing(target.label, explanation)
        return f"{says} and gives {target.label} {percent(target.probability)}; {for_it}."
    if not (sees or lacks):
        return f"{says}; {_nothing('it', explanation)}."
    return f"{says} because {', and '.join(part for part in (sees, lacks) if part)}."


def _nothing(target: str, explanation: Explanation) -> str:
    if any(unit.name for unit in explanation.top):
        return f"no neuron with a name that speaks for {target} is among its strongest and active here"
    return f"none of the neurons that speak most for {target} has a name"


def _score(score: Score) -> str:
    return f"{score.label} ({percent(score.probability)})"


def _against(words: Sequence[str], target: str) -> str:
    if not words:
        return ""
    return f"It also sees {enumerate_words(words)}, which {_verb(words, 'speaks', 'speak')} against {target}."


def _missed(words: Sequence[str]) -> str:
    if not words:
        return ""
    listed = enumerate_words(words)
    return f"{listed[:1].upper()}{listed[1:]} would speak for it too, but it sees none here."


def _torn(words: Sequence[str]) -> str:
    return f"Its neurons for {enumerate_words(words)} pull both ways." if words else ""


def _unnamed(units: Sequence[RankedUnit]) -> str:
    unnamed = sum(unit.name is None for unit in units)
    if not unnamed:
        return ""
    of = f"of the {len(units)} strongest neurons" if len(units) > 1 else "strongest neuron"
    return f"{unnamed} {of} {_verb(range(unnamed), 'has', 'have')} no name."


def _constant(explanation: Explanation) -> str:
    if not explanation.constant_alpha or explanation.rank_by != "alpha":
        return ""
    return (
        f"This network weighs its neurons alike in every image: these are the same for each {explanation.target.label}."
    )


def _verb(subjects: Sequence[object], singular: str, plural: str) -> str:
    return singular if len(subjects) == 1 else plural
