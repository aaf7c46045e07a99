"""The units of a dissected layer, and what their responses to an image let be said of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from dissection.vocabulary import implies

from .clauses import clause
from .ranking import strongest
from .vocabulary import RankedUnit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float32, Float64

    from dissection.vocabulary import Description, Unit, UnitName

    from .activity import Responses
    from .vocabulary import Clause, Rules, Unspoken


@dataclass(frozen=True, slots=True)
class Ranking:
    """The strongest units of an image.

    Attributes:
        top: those that speak most for the target, strongest first.
        bottom: those that speak most against it, strongest first.
        passed_over: units that were not eligible but would otherwise be among them.
    """

    top: tuple[RankedUnit, ...]
    bottom: tuple[RankedUnit, ...]
    passed_over: tuple[RankedUnit, ...]

    @property
    def ranked(self) -> tuple[RankedUnit, ...]:
        """Those that speak for the target, then those that speak against it."""
        return (*self.top, *self.bottom)

    def with_clause(self, units: Sequence[RankedUnit], clause: Clause | Unspoken) -> Ranking:
        """The same, but something else is said of some units, or nothing."""
        numbers = {unit.unit for unit in units}
        top, bottom = (
            tuple(replace(unit, clause=clause) if unit.unit in numbers else unit for unit in ranked)
            for ranked in (self.top, self.bottom)
        )
        return Ranking(top, bottom, self.passed_over)


@dataclass(frozen=True, slots=True, eq=False)
class NamedLayer:
    """The dissected units of a layer, in order, under rules for what is ranked and said.

    Attributes:
        units: the units.
        rules: the rules; without any evidence no name is proven, and all that have a name are ranked instead.
        names: names by unit.
        descriptions: what units stand for, by unit.
        thresholds: ``T_k`` by unit.
    """

    units: Sequence[Unit]
    rules: Rules
    names: Mapping[int, UnitName] = field(init=False)
    descriptions: Mapping[int, Description] = field(init=False)
    thresholds: Float64[np.ndarray, " units"] = field(init=False)
    _namesakes: Mapping[str, Sequence[int]] = field(init=False)
    _holders: Mapping[str, Sequence[int]] = field(init=False)
    _implying: dict[str, Sequence[int]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.rules
        names = {name.unit: name for unit in self.units if (name := unit.name(rules.min_iou)) is not None}
        described = ((unit.number, unit.description(rules.min_iou, rules.max_q)) for unit in self.units)
        descriptions = {number: description for number, description in described if description is not None}
        namesakes: dict[str, list[int]] = {}
        holders: dict[str, list[int]] = {}
        for number, description in descriptions.items():
            namesakes.setdefault(description.meaning.spoken, []).append(number)
            for concept in description.meaning.concepts:
                holders.setdefault(concept.spoken, []).append(number)
        if self.rules.among == "proven" and not self.has_evidence:
            object.__setattr__(self, "rules", replace(self.rules, among="named"))
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "descriptions", descriptions)
        object.__setattr__(self, "thresholds", np.array([unit.threshold for unit in self.units]))
        object.__setattr__(self, "_namesakes", namesakes)
        object.__setattr__(self, "_holders", holders)

    @property
    def has_evidence(self) -> bool:
        """Whether evidence is kept for the names."""
        return any(unit.evidence is not None for unit in self.units)

    def lit_maps(self, height: int, width: int) -> Float32[np.ndarray, "units h w"]:
        """Each unit's map on an image where what it stands for is; 0 where none is kept."""
        maps = np.zeros((len(self.units), height * width), np.float32)
        for number, unit in enumerate(self.units):
            lit_map = self._lit_map(unit)
            if lit_map:
                maps[number] = lit_map
        return maps.reshape(-1, height, width)

    def rank(self, responses: Responses) -> Ranking:
        """The strongest units, each with what may be said of it."""
        image = _OnImage(self, responses)
        values = {
            "alpha": responses.alpha,
            "effect": responses.effect,
            "contribution": responses.contribution,
        }[self.rules.rank_by]
        is_eligible = {
            "proven": lambda number: image.judged(number).is_spoken,
            "named": lambda number: number in self.descriptions,
            "all": lambda _number: True,
        }[self.rules.among]
        chosen = strongest(values, self.rules.k, is_eligible=is_eligible)
        return Ranking(*(tuple(map(image.judged, units)) for units in (chosen.top, chosen.bottom, chosen.passed_over)))

    def responding(self, responses: Responses) -> tuple[RankedUnit, ...]:
        """Every unit that may be said to respond, for or against the target, by number."""
        image = _OnImage(self, responses)
        judged = (image.judged(number) for number in self.descriptions if responses.lit[number])
        return tuple(unit for unit in judged if unit.is_spoken)

    def namesakes(self, number: int) -> Sequence[int]:
        """All units that stand for what a unit stands for, itself included; empty if it stands for nothing."""
        description = self.descriptions.get(number)
        return self._namesakes[description.meaning.spoken] if description else ()

    def implying(self, number: int) -> Sequence[int]:
        """The same and all units that stand for something which is never without that: "wheel but not car" for "wheel".

        If one of them is lit, what the unit stands for is there.
        """
        description = self.descriptions.get(number)
        if description is None:
            return ()
        meaning = description.meaning
        if meaning.spoken not in self._implying:
            related = {unit for concept in meaning.concepts for unit in self._holders[concept.spoken]}
            self._implying[meaning.spoken] = [
                unit for unit in sorted(related) if implies(self.descriptions[unit].meaning, meaning)
            ]
        return self._implying[meaning.spoken]

    def _lit_map(self, unit: Unit) -> tuple[float, ...]:
        """What its map is where it is switched on; of a unit without a description too, if its evidence keeps that."""
        description = self.descriptions.get(unit.number)
        if description is not None:
            return description.lit_map
        return unit.evidence.lit_map if unit.evidence is not None else ()


class _OnImage:
    """The units of a layer on one image; each is looked at once, and only if it is asked for."""

    def __init__(self, layer: NamedLayer, responses: Responses) -> None:
        self._layer = layer
        self._responses = responses
        self._total_effect = float(np.abs(responses.effect).sum())
        self._seen: dict[int, RankedUnit] = {}

    def judged(self, number: int) -> RankedUnit:
        """A unit, with what may be said of it."""
        unit = self._look(number)
        namesakes, implying = (
            [self._look(other) for other in others(number)] for others in (self._layer.namesakes, self._layer.implying)
        )
        return replace(unit, clause=clause(unit, namesakes, implying, self._total_effect, self._layer.rules))

    def _look(self, number: int) -> RankedUnit:
        if number not in self._seen:
            self._seen[number] = self._unit(self._layer.units[number])
        return self._seen[number]

    def _unit(self, unit: Unit) -> RankedUnit:
        responses, number, rules = self._responses, unit.number, self._layer.rules
        lit, peak = bool(responses.lit[number]), float(responses.peak[number])
        name, description = self._layer.names.get(number), self._layer.descriptions.get(number)
        counts = description.truth if description else None
        has_lit_map = description is not None and bool(description.lit_map)
        return RankedUnit(
            unit=number,
            alpha=float(responses.alpha[number]),
            contribution=float(responses.contribution[number]),
            effect=float(responses.effect[number]),
            potential=float(responses.potential[number]) if has_lit_map and not lit else None,
            lit=lit,
            peak=peak,
            name=name,
            truth=description.truth_at(peak) if description and lit else None,
            absence=counts.absence if counts and not lit else None,
            excess=None if responses.excess is None else float(responses.excess[number]),
            counts=counts,
            evidence=unit.evidence if name else None,
            composition=unit.composition(rules.min_iou, rules.max_q),
        )
