"""Writes what an audit of a class and a concept found as a page without scripts or outside assets, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.audit.page import AuditNote, write_audit
from neuronexplain.audit.values import json_bytes
from neuronexplain.evaluation.page import Bar, Chart
from neuronexplain.evaluation.tables import shown
from neuronexplain.listings import run_facts
from neuronexplain.report.page import render

from .effect import way_details, way_title
from .examples import examples

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.vocabulary import Unit, UnitNoun

    from .effect import Reliance
    from .named_network import NamedNetwork
    from .photographs import AuditedPhotographs
    from .ways import Lean, Way

SAYS: dict[Lean, str] = {
    "leans": "leans on it",
    "against": "it speaks against the class",
    "no": "does not lean on it",
    "undecided": "undecided",
    "unknown": "not measured",
}
"""What a way says, for people."""


@dataclass(frozen=True, slots=True)
class WayCard:
    """A way on a page.

    Attributes:
        title: what its figure is.
        says: what it says, for people.
        lean: the same in a word.
        photographs: how many photographs it rests on.
        remark: why nothing could be measured, or what a reader must know.
        shares: its bars in per cent of the score.
        beside: title and text of each further figure.
    """

    title: str
    says: str
    lean: str
    photographs: int
    remark: str
    shares: tuple[Bar, ...]
    beside: tuple[tuple[str, str], ...]


def way_cards(reliance: Reliance) -> tuple[list[WayCard], Chart]:
    """The ways for a page, and the chart whose axis all their bars have."""
    cards = [_card(way, reliance.leaning.noun) for way in reliance.ways]
    return cards, Chart("", tuple(bar for card in cards for bar in card.shares))


def _card(way: Way, noun: UnitNoun) -> WayCard:
    compared = {"neurons": ["random"], "pixels": [], "correlation": []}[way.name]
    title, beside = way_title(way.name, noun), way_details(way.name, noun)
    figures = {title: way.figure} | {beside[key]: way.beside[key] for key in compared if key in way.beside}
    return WayCard(
        title,
        SAYS[way.lean],
        way.lean,
        way.photographs,
        way.remark,
        tuple(
            Bar(title, shown(share), share.value, share.low, share.high)
            for title, share in figures.items()
            if share.images
        ),
        tuple((beside[key], shown(value)) for key, value in way.beside.items() if key not in compared),
    )


def write_reliance(folder: Path, reliance: Reliance, named: NamedNetwork, photographs: AuditedPhotographs) -> None:
    """Write the page and ``effect.json`` into a folder.

    Raises:
        ConceptDataError: if labels of a photograph that is shown cannot be read.
        OutputError: as :func:`~neuronexplain.audit.page.write_audit`.
        PhotographError: if a photograph that is shown cannot be read.
    """
    cards, chart = way_cards(reliance)
    by_neurons, by_cover = examples(reliance, named, photographs)
    page = render(
        "audit_effect.html.j2",
        reliance=reliance,
        verdict=reliance.verdict,
        cards=cards,
        chart=chart,
        by_neurons=by_neurons,
        by_cover=by_cover,
        noun=reliance.leaning.noun,
        units=[_facts_of(named.dissection.units[number]) for number in reliance.leaning.units],
        facts=run_facts(named.run, named=len(named.dissection.names(named.rules.min_iou)))
        | {"Photographs of the class": reliance.origin},
    )
    title = f"Does {reliance.leaning.label} lean on {reliance.leaning.concept.spoken}?"
    write_audit(folder, AuditNote.of("effect", title, named.run), page, {"effect.json": json_bytes(reliance.to_json())})


def _facts_of(unit: Unit) -> tuple[int, float, float | None, float | None]:
    """Number, IoU, q, and the share of images with the concept among those that light it."""
    best, evidence = unit.best, unit.evidence
    assert best is not None
    return unit.number, best.iou, evidence.q if evidence else None, best.truth.precision if best.truth else None
