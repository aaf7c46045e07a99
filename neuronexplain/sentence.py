"""Turns an explanation into plain English that claims no more than the numbers show.

What a sentence says of a named unit among the strongest (Grad-CAM paper, Sec. 7: *persuasive* and *inhibitive*):

============  =======================================  ================================================
unit          active in this image                     silent
============  =======================================  ================================================
persuasive    "its neurons for sand respond"           "would speak for it too, but stay silent"
inhibitive    "respond too, which speaks against it"   "there is no sand"
============  =======================================  ================================================

A name is a tendency (an IoU of 0.05 makes one), so the sentence says that an active unit responds, not that the image
holds the concept. It says "there is no sand" only if *every* unit named after sand is silent. Units of one name are
mentioned once. Units without a name are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dissection.vocabulary import Concept

    from .vocabulary import RankBy, RankedUnit, Score


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
    def rank_by(self) -> RankBy:
        """What the units are ranked by."""
        ...

    @property
    def active_concepts(self) -> Collection[str]:
        """Spoken names of all concepts that an active unit is named after."""
        ...

    @property
    def constant_alpha(self) -> bool:
        """Whether alphas are the same for every image."""
        ...


@dataclass(frozen=True, slots=True)
class _Neurons:
    """Units that are mentioned together: how many there are by phrase, strongest first."""

    counts: Mapping[str, int]

    def __bool__(self) -> bool:
        return bool(self.counts)

    def among(self, phrases: Collection[str]) -> _Neurons:
        return _Neurons({phrase: count for phrase, count in self.counts.items() if phrase in phrases})

    def without(self, excluded: _Neurons) -> _Neurons:
        return _Neurons({phrase: count for phrase, count in self.counts.items() if phrase not in excluded.counts})

    def subject(self, verb: str, verb_of_many: str) -> str:
        """The units as the subject of a sentence: "its neuron for sand responds"."""
        is_plural = sum(self.counts.values()) > 1
        listed = enumerate_words(list(self.counts))
        return f"its {'neurons' if is_plural else 'neuron'} for {listed} {verb_of_many if is_plural else verb}"


@dataclass(frozen=True, slots=True)
class _Mentions:
    """The named units among the strongest, by what the sentence says of them."""

    persuasive: _Neurons
    absent: _Neurons
    against: _Neurons
    missed: _Neurons
    torn: _Neurons


def say(explanation: Spoken) -> str:
    """The explanation as sentences that claim no more than its numbers support."""
    mentions = _mentions(explanation)
    against = f"too, which speaks against {spoken(explanation.target.label)}"
    sentences = [
        _reason(explanation, mentions),
        _sentence(mentions.against, f"responds {against}", f"respond {against}"),
        _sentence(
            mentions.missed, "would speak for it too, but stays silent", "would speak for it too, but stay silent"
        ),
        _sentence(mentions.torn, "pulls both ways", "pull both ways"),
        _unnamed([*explanation.top, *explanation.bottom]),
        _constant(explanation),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def phrase(concept: Concept) -> str:
    """A concept as a sentence words it.

    >>> from dissection.vocabulary import Concept
    >>> phrase(Concept(7, "striped", "texture"))
    'striped texture'
    """
    return {"texture": f"{concept.spoken} texture", "scene": f"{concept.spoken} scenery"}.get(
        concept.category, concept.spoken
    )


def spoken(label: str) -> str:
    """A class label as a sentence words it: the first of its synonyms, without underscores.

    >>> spoken("great_white_shark, white shark"), spoken("/b/beer_hall")
    ('great white shark', 'beer hall')
    """
    return re.sub(r"^/[a-z]/", "", label.partition(",")[0]).replace("_", " ").strip()


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


def _mentions(explanation: Spoken) -> _Mentions:
    top, bottom = explanation.top, explanation.bottom
    persuasive, against = _neurons(top, active=True), _neurons(bottom, active=True)
    silent_for, silent_against = _neurons(top, active=False), _neurons(bottom, active=False)
    silent = {
        phrase(unit.name.concept)
        for unit in (*top, *bottom)
        if unit.name and unit.name.concept.spoken not in explanation.active_concepts
    }
    torn = _neurons((*top, *bottom), active=True).among(persuasive.counts.keys() & against.counts.keys())
    return _Mentions(
        persuasive=persuasive.without(against),
        absent=silent_against.without(silent_for).among(silent),
        against=against.without(persuasive),
        missed=silent_for.without(silent_against).among(silent),
        torn=torn,
    )


def _neurons(units: Iterable[RankedUnit], *, active: bool) -> _Neurons:
    return _Neurons(Counter(phrase(unit.name.concept) for unit in units if unit.name and unit.active == active))


def _reason(explanation: Spoken, mentions: _Mentions) -> str:
    prediction, target = explanation.prediction, explanation.target
    label = spoken(target.label)
    says = f"The network says {_score(prediction)}"
    responds = mentions.persuasive.subject("responds", "respond") if mentions.persuasive else ""
    lacks = f"there is no {enumerate_words(list(mentions.absent.counts), 'or')}" if mentions.absent else ""
    reasons = [reason for reason in (responds, lacks) if reason]
    if target.index != prediction.index:
        for_it = f"what speaks for {label} is that {' and that '.join(reasons)}"
        gives = f"{says} and gives {label} {percent(target.probability)}"
        return f"{gives}; {for_it if reasons else _nothing(label, explanation, mentions)}."
    if not reasons:
        return f"{says}; {_nothing('it', explanation, mentions)}."
    return f"{says} because {', and '.join(reasons)}."


def _nothing(target: str, explanation: Spoken, mentions: _Mentions) -> str:
    if not explanation.top:
        return f"no neuron speaks for {target}"
    if not any(unit.name for unit in explanation.top):
        return f"none of the neurons that speak most for {target} has a name"
    if mentions.torn:
        return f"no concept speaks for {target} alone"
    return f"the neurons that speak most for {target} and have a name stay silent"


def _score(score: Score) -> str:
    return f"{spoken(score.label)} ({percent(score.probability)})"


def _sentence(neurons: _Neurons, verb: str, verb_of_many: str) -> str:
    if not neurons:
        return ""
    subject = neurons.subject(verb, verb_of_many)
    return f"{subject[0].upper()}{subject[1:]}."


def _unnamed(units: Sequence[RankedUnit]) -> str:
    unnamed = sum(unit.name is None for unit in units)
    if not unnamed:
        return ""
    if len(units) == 1:
        return "The strongest neuron has no name."
    return f"{unnamed} of the {len(units)} strongest neurons {'has' if unnamed == 1 else 'have'} no name."


def _constant(explanation: Spoken) -> str:
    if not explanation.constant_alpha or explanation.rank_by != "alpha":
        return ""
    target = spoken(explanation.target.label)
    return f"This network weighs its neurons alike in every image: these are the same for each {target}."
