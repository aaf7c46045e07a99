"""What a sentence may say of a unit: each clause has conditions that were measured.

A name is *proven* where its IoU is at least ``min_iou`` and its ``q`` at most ``max_q``. A formula of several concepts
that is accepted, see :class:`dissection.vocabulary.Composition`, is proven too, and stands in for the name: it is what
the unit is said to stand for, and what truth and potential are of. Then, of a unit:

============  ================================================  ====================================================
clause        what is said                                      condition
============  ================================================  ====================================================
``responds``  "its neurons for sand respond"                    lit, truth >= ``min_truth``, alpha > 0 and effect > 0
``against``   "its neuron for sky responds too, which speaks    lit, truth >= ``min_truth``, effect < 0
              against it"
``absent``    "there is no bed"                                 of *every* unit of the name: not lit, alpha < 0 and
                                                                potential < 0; of one of them: where it is not lit,
                                                                99 % of the images lack the concept; no unit is lit
                                                                that stands for something never without the concept
``missed``    "would speak for it too, but stays silent"        no such unit is lit, alpha > 0, potential > 0,
                                                                its effect is under 1 % of all effects, and the
                                                                concept is there on >= ``min_truth`` of all images on
                                                                which it is lit
============  ================================================  ====================================================

Effect and potential are of first order. So whoever explains tries out what is said of each name but ``responds``: the
score must rise indeed without units that are ``against``, rise with ``missed`` units as they are on an image where
their concept is, and fall with ``absent`` units as they are there. Where some units of a name respond and speak for the
target and others against it, all of them are left out together: if the score falls, those against are ``outweighed``,
and if it rises, those for it. An outweighed unit is spoken of with the others of its name. Where nobody tried, the name
pulls both ways.

A score often rises with a unit that hardly ever responds in images of the class: a pillow in the desert. That is true
of the network, and tells a reader nothing. So ``missed`` units are spoken of only where it is known that their mean lit
contribution to the class exceeds that to the average class.

Where no evidence is kept for a name, there is neither ``q`` nor truth nor potential: nothing is ``missed``, and of the
others the remaining conditions hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast, get_args

from .vocabulary import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .vocabulary import Clause, RankedUnit, Rules, Unspoken

_ABSENT = 0.99
"""The least share of images without a concept by which a unit that is not lit tells that the concept is not there."""

_NO_EFFECT = 0.01
"""A unit whose effect is under this share of all effects is silent."""


def clause(
    unit: RankedUnit,
    namesakes: Sequence[RankedUnit],
    implying: Sequence[RankedUnit],
    total_effect: float,
    rules: Rules,
) -> Clause | Unspoken:
    """What may be said of a unit, or why nothing.

    Args:
        unit: the unit; its own ``clause`` is not looked at.
        namesakes: every unit of the layer that stands for the same, itself included.
        implying: these and every unit that stands for something which is never without that.
        total_effect: the sum of the magnitudes of all units' effects.
        rules: what counts as proven, and as true.
    """
    if unit.meaning is None:
        return "no name"
    if unit.composition is None and unit.evidence is not None and unit.evidence.q > rules.max_q:
        return "no proven name"
    if unit.lit:
        return _of_lit(unit, rules)
    if any(other.lit for other in implying):
        return "not lit"
    return _of_unlit(unit, namesakes, total_effect, rules)


def is_unusual(unit: RankedUnit) -> bool:
    """Whether a unit is missed that is not known to contribute more to the class than to the average one."""
    return unit.clause == "missed" and (unit.excess is None or unit.excess <= 0)


def roles(units: Iterable[RankedUnit]) -> Mapping[Role, Sequence[RankedUnit]]:
    """The units that a sentence speaks of, in order, by what it says of their names.

    A name of which one unit speaks for the target and another against it is no reason: it pulls both ways, unless one
    is outweighed.
    """
    by_role: dict[Role, list[RankedUnit]] = {role: [] for role in get_args(Role)}
    spoken = [unit for unit in units if unit.meaning and unit.is_spoken]
    names_for, names_against = (
        {_name(unit) for unit in spoken if unit.clause == clause} for clause in ("responds", "against")
    )
    for unit in spoken:
        if unit.clause in {"absent", "missed"}:
            role = cast("Role", unit.clause)
        else:
            is_for, is_against = _name(unit) in names_for, _name(unit) in names_against
            role = "torn" if is_for == is_against else "responds" if is_for else "against"
        by_role[role].append(unit)
    return by_role


def persuasive(units: Iterable[RankedUnit]) -> Sequence[RankedUnit]:
    """The units that respond and whose names speak for the target, and not against it as well."""
    return roles(units)["responds"]


def _name(unit: RankedUnit) -> str:
    return unit.meaning.spoken if unit.meaning else ""


def _of_lit(unit: RankedUnit, rules: Rules) -> Clause | Unspoken:
    if unit.truth is not None and unit.truth < rules.min_truth:
        return "true too rarely"
    if unit.effect < 0:
        return "against"
    return "responds" if unit.alpha > 0 and unit.effect > 0 else "unclear effect"


def _of_unlit(
    unit: RankedUnit, namesakes: Sequence[RankedUnit], total_effect: float, rules: Rules
) -> Clause | Unspoken:
    if all(namesake.alpha < 0 and _could_lower(namesake) for namesake in namesakes):
        return "absent" if any(map(_is_telling, namesakes)) else "not lit"
    is_true = unit.counts is None or unit.counts.precision >= rules.min_truth
    could_raise = unit.alpha > 0 and (unit.potential or 0) > 0
    if is_true and could_raise and abs(unit.effect) < _NO_EFFECT * total_effect:
        return "missed"
    return "not lit"


def _is_telling(unit: RankedUnit) -> bool:
    """Whether the concept is hardly ever there when the unit is not lit; so where that was not counted."""
    return unit.absence is None or unit.absence >= _ABSENT


def _could_lower(unit: RankedUnit) -> bool:
    """Whether the score would fall if the unit responded; so where no evidence is kept."""
    has_evidence = unit.evidence is not None or unit.composition is not None
    return not has_evidence or (unit.potential is not None and unit.potential < 0)
