"""What to change in an image's map to test what its sentence says, and what to compare that with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuronexplain.metrics.like_units import like_units

from .interventions import Change
from .records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from jaxtyping import Float, Float64

    from neuronexplain.vocabulary import Role

    from .mentions import Mention

_FALLS = frozenset(("responds", "absent"))
"""Roles of which the change makes the score fall, if the sentence is right."""

_SWITCHED_ON = frozenset(("absent", "missed"))


@dataclass(frozen=True, slots=True)
class Trial:
    """A change that should do to the score what a sentence says.

    Attributes:
        role: what the sentence says of the units.
        change: the change of their maps.
        random: the same change of as many units that the sentence does not speak of and that are as active.
    """

    role: Role
    change: Change
    random: tuple[Change, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """The change, and those of random units."""
        return (self.change, *self.random)

    def outcome(self, before: float, after: Sequence[float]) -> Outcome:
        """The outcome, if ``before`` is the score and ``after`` what it becomes by each of the changes."""
        sign = -1 if self.role in _FALLS else 1
        moved, *random = (sign * (score - before) for score in after)
        return Outcome(self.role, moved, tuple(random))


def trials_of(
    mentions: Sequence[Mention],
    activation: Float64[np.ndarray, "units h w"],
    lit_maps: Float[np.ndarray, "units h w"],
    thresholds: Float64[np.ndarray, " units"],
    *,
    draws: int,
    generator: np.random.Generator,
) -> list[Trial]:
    """The trials of a sentence: one of all units that speak for the class together, one of each other mention.

    Units are as active if the means of their maps are close, or of their lit maps where units are switched on; then
    only units that are not lit and whose lit map is kept are drawn. A mention of no such unit has no trial.

    Args:
        mentions: the mentions of the sentence.
        activation: the layer's map of the image.
        lit_maps: what each unit's map becomes if it is switched on; 0 where none is kept.
        thresholds: of each unit, above which it is lit.
        draws: how many times random units are drawn.
        generator: where chance comes from.
    """
    has_lit_map = [bool(lit_map.any()) for lit_map in lit_maps]
    is_lit = [bool((maps > threshold).any()) for maps, threshold in zip(activation, thresholds, strict=True)]
    unspoken = set(range(len(activation))) - {unit for mention in mentions for unit in mention.units}
    silent = {unit for unit in unspoken if has_lit_map[unit] and not is_lit[unit]}
    means, lit_means = (maps.mean((1, 2), dtype="float64") for maps in (activation, lit_maps))
    trials: list[Trial] = []
    for role, units in _tested(mentions):
        is_on = role in _SWITCHED_ON
        activity, candidates = (lit_means, silent) if is_on else (means, unspoken)
        changed = tuple(unit for unit in units if has_lit_map[unit] or not is_on)
        if changed:
            drawn = [like_units(changed, activity, candidates, generator) for _ in range(draws)]
            random = tuple(Change(others, is_on=is_on) for others in drawn if len(others) == len(changed))
            trials.append(Trial(role, Change(changed, is_on=is_on), random))
    return trials


def _tested(mentions: Sequence[Mention]) -> Iterator[tuple[Role, tuple[int, ...]]]:
    """Units that are changed together. Of names that pull both ways nothing is claimed."""
    if reasons := tuple(unit for mention in mentions if mention.role == "responds" for unit in mention.units):
        yield "responds", reasons
    for mention in mentions:
        if mention.role in {"against", "absent", "missed"}:
            yield mention.role, mention.units
