"""A comparison as tables: the largest changes first, each with its interval, and noise called noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dissection.vocabulary import THIN_EVIDENCE
from neuronexplain.counts import count
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import Figure
from neuronexplain.report.numbers import Scale

from .changes import may_be_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dissection.vocabulary import UnitName
    from neuronexplain.evaluation.tables import TableRow, Value

    from .class_changes import ClassChange
    from .names import UnitsCompared
    from .runs import RunsCompared
    from .speech import SpeechCompared

_VERDICTS = {False: "changed", True: "within noise", None: "unknown"}
_BEFORE_AFTER = {"before": "before", "after": "after", "difference": "difference", "verdict": ""}


def reports(compared: RunsCompared, *, rows: int | None = None) -> list[Report]:
    """The tables.

    Args:
        compared: the comparison.
        rows: how many rows a table has at most, for people; by default all, in units that need no heading to be read.
    """
    return [Report(r.title, r.columns, r.rows[:rows], r.notes, r.unit_of) for r in _reports(compared, rows)]


def _reports(compared: RunsCompared, rows: int | None) -> Iterator[Report]:
    yield _concepts(compared, rows)
    if compared.units is not None:
        yield _units(compared.units, rows, compared.noun)
    if compared.gathered:
        if compared.lit is not None:
            unit = Scale.of(change.difference.value for change in (compared.lit if rows is not None else ()))
            title = "What concepts contribute to a class above the average class, in units of its score"
            yield _classes(
                " ".join([title, unit.factor]).strip(), compared.lit, rows, compared.noun, scale=10.0**-unit.power
            )
        yield _classes(
            "What part of a class's score rests on a concept, in %", compared.shares, rows, compared.noun, scale=100.0
        )
    if compared.speech is not None:
        yield _speech(compared.speech)
        yield _words(compared.speech, rows)
        yield _photographs(compared.speech, rows)


def likeness_sentence(compared: RunsCompared) -> str:
    """Whether units can be compared by their numbers, and how that is known."""
    likeness, noun = compared.likeness, compared.noun
    if likeness is None:
        first, second = (run.layer for run in (compared.first, compared.second))
        of_first = "" if first.noun == second.noun else f" {first.noun}s"
        return (
            f"The layers have {first.units}{of_first} and {second.units} {second.noun}s, so a {noun}'s number means "
            "something else in each."
        )
    measured = (
        f"{likeness.twins} of {likeness.units} {noun}s are more like the {noun} of their number in the other run than "
        f"like any other (mean cosine of their overlaps: {likeness.cosine:.2f})"
    )
    if likeness.is_same:
        return f"{measured}: a {noun}'s number means the same in both runs."
    return (
        f"Only {measured}: a {noun}'s number means something else in each run, as where one network was not trained on "
        f"from the other. So {noun}s are not compared by number."
    )


def _concepts(compared: RunsCompared, rows: int | None) -> Report:
    made: list[TableRow] = [
        {
            "concept": change.concept,
            "category": change.category,
            "before": _figure(change.neurons.before) or 0,
            "after": _figure(change.neurons.after) or 0,
            "verdict": _verdict(change.difference),
            "iou_before": _figure(change.iou.before),
            "iou_after": _figure(change.iou.after),
        }
        for change in compared.concepts
    ]
    headings = {
        "concept": "concept",
        "category": "category",
        "before": f"{compared.noun}s before",
        "after": f"{compared.noun}s after",
        "verdict": "",
        "iou_before": "best IoU before",
        "iou_after": "best IoU after",
    }
    return Report("Names, concept by concept", headings, tuple(made), _more(len(made), rows, "concept"))


def _units(units: UnitsCompared, rows: int | None, noun: str) -> Report:
    made: list[TableRow] = [
        {
            "neuron": change.unit,
            "before": _name(change.before),
            "after": _name(change.after),
            "iou_before": change.before.iou if change.before else None,
            "iou_after": change.after.iou if change.after else None,
            "kept_before": change.kept[0],
            "kept_after": change.kept[1],
            "verdict": _VERDICTS[change.is_within_noise],
        }
        for change in units.changes
    ]
    headings = {
        "neuron": noun,
        "before": "before",
        "after": "after",
        "iou_before": "IoU before",
        "iou_after": "IoU after",
        "kept_before": "kept before",
        "kept_after": "kept after",
        "verdict": "",
    }
    others = f"{units.unnamed} have one in neither run, and {len(units.changes)} have another"
    told = (
        f"of {count(units.units, noun)}, {units.same} keep their name, {others}",
        f"kept: the share of resamples of the images in which a {noun}'s best concept stays the best",
    )
    return Report(f"Names, {noun} by {noun}", headings, tuple(made), (*told, *_more(len(made), rows, noun)))


def _classes(title: str, changes: Sequence[ClassChange], rows: int | None, noun: str, *, scale: float) -> Report:
    made: list[TableRow] = [
        {
            "class": change.label,
            "concept": change.concept,
            "category": change.category,
            "neurons": f"{change.neurons[0]}, {change.neurons[1]}",
            "before": _figure(change.change.before, scale),
            "after": _figure(change.change.after, scale),
            "difference": _figure(change.difference, scale),
            "verdict": _verdict(change.difference),
        }
        for change in changes
    ]
    headings = {
        "class": "class",
        "concept": "concept",
        "category": "category",
        "neurons": f"{noun}s before, after",
        **_BEFORE_AFTER,
    }
    shown = changes[:rows]
    thin = {change.label for change in shown if 0 < change.difference.images < THIN_EVIDENCE}
    notes = [f"thin evidence: {', '.join(sorted(thin))}"] if thin else []
    return Report(title, headings, tuple(made), (*notes, *_more(len(made), rows, "pair")))


def _speech(speech: SpeechCompared) -> Report:
    whole = (
        ("right predictions, %", speech.accuracy),
        ("words in a sentence", speech.words),
        ("words that are true, as said beside them, %", speech.truth),
    )
    made: list[TableRow] = [
        {
            "what": what,
            **dict(zip(("before", "after", "difference"), map(_figure, figures), strict=True)),
            "verdict": _verdict(figures[2]),
        }
        for what, figures in whole
    ]
    agreement, kept = (f"{figure.value:.1f}" for figure in (speech.agreement, speech.kept))
    told = (
        f"the networks predict the same for {agreement} % of {count(speech.photographs, 'photograph')}",
        f"of the words that either says of a photograph, both say {kept} %"
        if speech.kept.images
        else "neither says a word of any photograph",
        f"the class of {speech.judged} is known to both networks, from the name of its folder",
    )
    return Report("Sentences", {"what": "", **_BEFORE_AFTER}, tuple(made), told)


def _words(speech: SpeechCompared, rows: int | None) -> Report:
    made: list[TableRow] = [
        {
            "word": change.word,
            "gained": change.gained,
            "lost": change.lost,
            "difference": _figure(change.difference),
            "verdict": _verdict(change.difference),
        }
        for change in speech.word_changes
    ]
    headings = {
        "word": "word",
        "gained": "photographs gained",
        "lost": "photographs lost",
        "difference": "difference, % of photographs",
        "verdict": "",
    }
    return Report("Words gained and lost", headings, tuple(made), _more(len(made), rows, "word"))


def _photographs(speech: SpeechCompared, rows: int | None) -> Report:
    made: list[TableRow] = [
        {
            "photograph": change.image,
            "before": _prediction(*change.predictions[0]),
            "after": _prediction(*change.predictions[1]),
            "lost": ", ".join(change.lost),
            "gained": ", ".join(change.gained),
        }
        for change in speech.photograph_changes
    ]
    headings = {
        "photograph": "photograph",
        "before": "before",
        "after": "after",
        "lost": "words lost",
        "gained": "words gained",
    }
    return Report("Photographs that differ most", headings, tuple(made), _more(len(made), rows, "photograph"))


def _more(made: int, rows: int | None, noun: str) -> tuple[str, ...]:
    if not made:
        return (f"no {noun} has changed",)
    return (f"and {count(made - rows, noun)} more, which JSON lists",) if rows is not None and made > rows else ()


def _verdict(difference: Figure) -> str:
    if math.isnan(difference.value):
        return ""
    if not difference.value:
        return "same"
    return _VERDICTS[may_be_nothing(difference)]


def _figure(figure: Figure | None, scale: float = 1.0) -> Value:
    """A figure as a table shows it; one without an interval is a number."""
    if figure is None:
        return None
    value, low, high = (scale * number for number in (figure.value, figure.low, figure.high))
    return value if math.isnan(low) or low == high else Figure(value, low, high, figure.images)


def _name(name: UnitName | None) -> str:
    return "no name" if name is None else f"{name.concept.spoken} ({name.concept.category})"


def _prediction(label: str, probability: float) -> str:
    return f"{label} ({probability:.0%})"
