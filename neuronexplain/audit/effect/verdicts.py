"""What three ways say together of a class and a concept, in words; where they disagree, what that means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from neuronexplain.counts import count
from neuronexplain.evaluation.tables import shown
from neuronexplain.figures import figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from neuronexplain.metrics.intervals import Figure

    from .named_network import Leaning
    from .ways import Lean, Way, WayName

Overall = Literal["leans", "against", "no", "disagree", "undecided"]
"""What the ways say together."""

_SMALL = 10.0
"""Per cent of a score under which a class leans on a concept in small part: a tenth, as in a sentence."""

_OPENINGS: Mapping[Overall, str] = {
    "leans": "{label} leans {part}on {concept}",
    "against": "{concept} speaks against {label}",
    "no": "{label} does not lean on {concept}",
    "disagree": "The ways disagree on whether {label} leans on {concept}",
    "undecided": "Whether {label} leans on {concept} is undecided",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What three ways say together.

    Attributes:
        overall: in a word.
        opening: in a sentence without its end.
        clauses: what each way says, in their order.
        meanings: what it means that ways disagree, in sentences.
    """

    overall: Overall
    opening: str
    clauses: Mapping[WayName, str]
    meanings: tuple[str, ...]

    @property
    def said(self) -> tuple[str, ...]:
        """The clauses; what is not known for one reason is said once."""
        return tuple(dict.fromkeys(self.clauses.values()))

    @property
    def sentence(self) -> str:
        """All of it."""
        return " ".join([f"{self.opening}: {'; '.join(self.said)}.", *self.meanings])


def verdict(leaning: Leaning, ways: Sequence[Way]) -> Verdict:
    """What ways say together of a class and a concept.

    Only the ways that change something can tell that a class leans on a concept. Neurons that respond where the concept
    is are no use of it yet.
    """
    leans: dict[WayName, Lean] = {way.name: way.lean for way in ways}
    overall = _overall(leans)
    is_small = all(way.figure.value < _SMALL for way in ways if way.name != "correlation" and way.lean == "leans")
    part = "in small part " if is_small else ""
    opening = _OPENINGS[overall].format(label=leaning.label, concept=leaning.concept.spoken, part=part)
    clauses: dict[WayName, str] = {way.name: _clause(leaning, way) for way in ways}
    return Verdict(overall, opening, clauses, tuple(_meanings(leaning, leans)) if overall == "disagree" else ())


def _overall(leans: Mapping[WayName, Lean]) -> Overall:
    decided: dict[WayName, Lean] = {name: lean for name, lean in leans.items() if lean not in {"undecided", "unknown"}}
    if not decided.keys() & {"neurons", "pixels"}:
        return "undecided"
    said = set(decided.values())
    if len(said) > 1:
        return "disagree"
    return "leans" if said == {"leans"} else "against" if said == {"against"} else "no"


def _clause(leaning: Leaning, way: Way) -> str:
    if way.lean == "unknown":
        return way.remark
    clauses = {"neurons": _neurons, "pixels": _pixels, "correlation": _correlation}
    few = f", but {count(way.photographs, 'photograph')} are too few to tell" if way.is_thin else ""
    open_end = ", which leaves it open" if way.lean == "undecided" and not few else ""
    remark = f"; {way.remark}" if way.remark else ""
    return f"{clauses[way.name](leaning, way)}{few or open_end}{remark}"


def _neurons(leaning: Leaning, way: Way) -> str:
    kind, is_one = f"{'proven ' * leaning.is_proven}{leaning.noun}", len(leaning.units) == 1
    its = f"its {kind if is_one else count(len(leaning.units), kind)} for {leaning.concept.spoken}"
    others = "another that is as active" if is_one else "as many others that are as active"
    random = f", without {others} it {_moves(way.beside['random'])}" if way.beside["random"].images else ""
    return f"without {its} its score {_moves(way.figure)}{random}"


def _pixels(leaning: Leaning, way: Way) -> str:
    fall, elsewhere = figures(way.beside["fall"].value, way.beside["elsewhere"].value)
    return (
        f"covering {leaning.concept.spoken} costs it {_compared(way.figure)} than covering as much elsewhere (falls of "
        f"{fall} and {elsewhere})"
    )


def _correlation(leaning: Leaning, way: Way) -> str:
    its = f"this {leaning.noun} puts" if len(leaning.units) == 1 else f"these {leaning.noun}s put"
    return (
        f"where there is {leaning.concept.spoken}, {its} {_compared(way.figure)} into it than elsewhere (correlation "
        f"{with_unit(way.beside['correlation'])})"
    )


def _compared(share: Figure) -> str:
    """A share of the score as more or less than another.

    >>> from neuronexplain.metrics.intervals import Figure
    >>> _compared(Figure(-12.0, -15.0, -9.0, 20))
    '12.0 % (9.0 to 15.0) less'
    """
    if share.value < 0:
        return f"{with_unit(_negated(share), ' %')} less"
    return f"{with_unit(share, ' %')} more"


def _moves(share: Figure) -> str:
    """That a score falls by a share of it, or rises.

    >>> from neuronexplain.metrics.intervals import Figure
    >>> _moves(Figure(-12.0, -15.0, -9.0, 20))
    'rises by 12.0 % (9.0 to 15.0)'
    """
    return f"{'rises' if share.value < 0 else 'falls'} by {_compared(share).rpartition(' ')[0]}"


def _negated(figure: Figure) -> Figure:
    return replace(figure, value=-figure.value, low=-figure.high, high=-figure.low)


def with_unit(figure: Figure, unit: str = "") -> str:
    """A figure and its unit, with the interval in brackets.

    >>> from neuronexplain.metrics.intervals import Figure
    >>> with_unit(Figure(12.0, 9.0, 15.0, 20), " %")
    '12.0 % (9.0 to 15.0)'
    """
    number, _, interval = shown(figure).partition(" ")
    return f"{number}{unit} {interval}".rstrip()


def _meanings(leaning: Leaning, leans: Mapping[WayName, Lean]) -> Iterator[str]:
    concept = leaning.concept.spoken
    neurons, pixels, correlation = leans["neurons"], leans["pixels"], leans["correlation"]
    is_one = len(leaning.units) == 1
    noun, they, put, matter, respond = (
        (leaning.noun, "it", "puts", "matters", "responds")
        if is_one
        else (f"{leaning.noun}s", "they", "put", "matter", "respond")
    )
    if {neurons, pixels} == {"leans", "against"}:
        yield f"By one way {concept} speaks for {leaning.label}, by the other against it."
    elif neurons == "leans" and pixels in {"no", "against"}:
        yield (
            f"The {noun} {matter} and the pixels do not: {they} {respond} to something besides {concept}, or what lies "
            "around it does as well."
        )
    elif pixels == "leans" and neurons in {"no", "against"}:
        yield (
            f"The pixels matter and the {noun} {'does' if is_one else 'do'} not: the network sees {concept} by "
            f"{leaning.noun}s that have another name, or none."
        )
    if correlation == "leans" and "leans" not in {neurons, pixels}:
        yield (
            f"The {noun} {respond} where there is {concept}, but the score does not need it: association without use."
        )
    elif correlation in {"no", "against"} and neurons == "leans":
        amount = "hardly more" if correlation == "no" else "less"
        yield (
            f"Where there is {concept} the {noun} {put} {amount} into the score than elsewhere: {they} {respond} to "
            "something else."
        )
    elif correlation == "against" and neurons == "no":
        yield f"Where there is {concept} the {noun} {put} less into the score, which hardly changes it."
