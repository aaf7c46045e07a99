"""How much does a class lean on a concept? Three ways with intervals, beside each other.

:mod:`neuronexplain.audit.effect.ways` says what the ways are.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from dissection.execution.settings import Execution
from neuronexplain.evaluation.runner import require_one_process
from neuronexplain.evaluation.tables import Report, plain

from .covering import AuditDraws
from .leaning_pass import measured
from .verdicts import verdict
from .ways import correlation_way, neurons_way, pixels_way

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dissection.vocabulary import UnitNoun
    from neuronexplain.metrics.intervals import Figure

    from .leaning_records import LeaningRecord
    from .named_network import Leaning, NamedNetwork
    from .photographs import AuditedPhotographs
    from .verdicts import Verdict
    from .ways import Way, WayName

_COLUMNS = {
    "way": "how",
    "lean": "says",
    "figure": "figure",
    "excess": "more than other {noun}s",
    "photographs": "photographs",
    "remark": "remark",
}

_TITLES: Mapping[WayName, str] = {
    "neurons": "lost without its {noun}s, % of the score",
    "pixels": "lost with its pixels covered rather than others, % of the score",
    "correlation": "more where it is than where it is not, % of the score",
}
"""What the figure of each way is."""

_BESIDE: Mapping[WayName, Mapping[str, str]] = {
    "neurons": {
        "random": "without as many other {noun}s",
        "loss": "the score falls by",
        "probability": "the probability falls by, points",
        "right": "photographs that are right, %",
        "still_right": "right without these {noun}s, %",
        "right_lost": "right no longer, points",
    },
    "pixels": {
        "loss": "the score falls further, by",
        "fall": "with the concept covered, by",
        "elsewhere": "with as much covered elsewhere, by",
        "area": "part of the picture that is covered, %",
    },
    "correlation": {
        "correlation": "correlation with its presence",
        "there": "where it is, % of the score",
        "not_there": "where it is not, % of the score",
        "lit_more": "more in the score",
    },
}
"""What the figures beside it are."""


def way_title(name: WayName, noun: UnitNoun) -> str:
    """What the figure of a way is, for people, who call a unit by the noun."""
    return _TITLES[name].format(noun=noun)


def way_details(name: WayName, noun: UnitNoun) -> Mapping[str, str]:
    """What the figures beside it are, by key."""
    return {key: words.format(noun=noun) for key, words in _BESIDE[name].items()}


@dataclass(frozen=True, slots=True, eq=False)
class Reliance:
    """How much a class leans on a concept.

    Attributes:
        leaning: what was asked.
        ways: what each way says.
        records: what was measured of each photograph.
        origin: which photographs of the class they are, in words.
        draws: what was random.
    """

    leaning: Leaning
    ways: tuple[Way, Way, Way]
    records: tuple[LeaningRecord, ...]
    origin: str
    draws: AuditDraws

    @property
    def verdict(self) -> Verdict:
        """What the ways say together."""
        return verdict(self.leaning, self.ways)

    def way(self, name: str) -> Way:
        """A way by its name."""
        return next(way for way in self.ways if way.name == name)

    @property
    def report(self) -> Report:
        """The ways as a table."""
        noun = self.leaning.noun
        rows = tuple(
            {
                "way": way_title(way.name, noun),
                "lean": way.lean,
                "figure": way.figure if way.lean != "unknown" else None,
                "excess": way.excess if way.name == "neurons" and way.lean != "unknown" else None,
                "photographs": way.photographs,
                "remark": way.remark,
            }
            for way in self.ways
        )
        columns = {key: heading.format(noun=noun) for key, heading in _COLUMNS.items()}
        return Report(self.verdict.opening, columns, rows)

    def to_json(self) -> dict[str, object]:
        """JSON values; an unknown number is null."""
        leaning, said = self.leaning, self.verdict
        return {
            "class": leaning.label,
            "index": leaning.target,
            "concept": leaning.concept.spoken,
            "category": leaning.concept.category,
            "units": list(leaning.units),
            "proven": leaning.is_proven,
            "noun": leaning.noun,
            "overall": said.overall,
            "sentence": said.sentence,
            "meanings": list(said.meanings),
            "photographs_of": self.origin,
            "cover": self.draws.cover,
            "ways": [_way_json(way) for way in self.ways],
            "photographs": [record.to_json() for record in self.records],
        }

    def rows(self) -> list[dict[str, object]]:
        """A row of plain values for each way, for CSV."""
        return [
            {
                "class": self.leaning.label,
                "concept": self.leaning.concept.spoken,
                "way": way.name,
                "lean": way.lean,
                **_ends("figure", way.figure),
                **_ends("excess", way.excess),
                "photographs": way.photographs,
                "remark": way.remark,
            }
            for way in self.ways
        ]


def audit_effect(
    named: NamedNetwork,
    leaning: Leaning,
    photographs: AuditedPhotographs,
    *,
    draws: AuditDraws | None = None,
    journal: Path | None = None,
    execution: Execution | None = None,
    fresh: bool = False,
) -> Reliance:
    """Measure in three ways how much a class leans on a concept.

    Args:
        named: the network, with names for its units.
        leaning: the class and the concept, see :meth:`~neuronexplain.audit.effect.named_network.NamedNetwork.leaning`.
        photographs: the photographs, see :func:`~neuronexplain.audit.effect.photographs.audited_photographs`.
        draws: what is random, and how pixels are covered.
        journal: a file from which the same audit is resumed, should it be interrupted; by default none is kept.
        execution: how the work is run, in one process; only batch size, workers and progress count.
        fresh: start over.

    Raises:
        ActivationError: if a feature map holds a NaN or an infinity.
        CheckpointError: if the journal is of another audit.
        ConceptDataError: if labels cannot be read.
        NetworkError: if a score is not finite.
        NeuronExplainError: if several processes would share the photographs.
        PhotographError: if a file is not a photograph.
    """
    draws, execution, network = draws or AuditDraws(), execution or Execution(), named.network
    require_one_process(execution.ranks.count)
    heading = {
        "audit": "effect",
        "class": leaning.label,
        "concept": leaning.key,
        "units": list(leaning.units),
        "run": named.run.key.digest,
        "network": network.whole_fingerprint,
        "preprocessing": network.preprocessing.canonical,
        "arithmetic": f"{network.precision} on {network.device.type}, torch {torch.__version__}",
        "photographs": photographs.digest,
        "draws": asdict(draws),
    }
    records = measured(
        leaning,
        named,
        photographs,
        draws,
        heading=heading,
        journal=journal,
        execution=execution,
        fresh=fresh,
    )
    return reliance_of(leaning, records, photographs, draws)


def reliance_of(
    leaning: Leaning, records: list[LeaningRecord], photographs: AuditedPhotographs, draws: AuditDraws
) -> Reliance:
    """The three ways, from the records of all photographs."""
    concept = leaning.concept.spoken
    no_units = "" if leaning.units else f"no {leaning.noun} has the {'proven ' * leaning.is_proven}name {concept}"
    no_masks = "" if photographs.masks else f"no masks say where {concept} is"
    if photographs.masks and leaning.key not in photographs.masks.vocabulary:
        no_masks = f"{photographs.masks.name} does not label {concept}"
    ways = (
        neurons_way(records, no_units=no_units, noun=leaning.noun),
        pixels_way(records, no_masks=no_masks, noun=leaning.noun),
        correlation_way(records, no_units=no_units, no_masks=no_masks, noun=leaning.noun),
    )
    return Reliance(leaning, ways, tuple(records), photographs.origin, draws)


def _way_json(way: Way) -> dict[str, object]:
    figures = {"figure": way.figure, "excess": way.excess, "alone": way.alone, **way.beside}
    return {
        "way": way.name,
        "lean": way.lean,
        "photographs": way.photographs,
        "thin": way.is_thin,
        "remark": way.remark,
        **{name: plain(value) for name, value in figures.items()},
    }


def _ends(name: str, share: Figure) -> dict[str, float | None]:
    """A figure and the ends of its interval, each under a name of its own; ``None`` where unknown."""
    numbers = {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    return {key: number if math.isfinite(number) else None for key, number in numbers.items()}
