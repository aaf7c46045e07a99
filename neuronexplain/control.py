"""The control of a build: the same dissection of the same architecture with shuffled weights.

What such a network has names for comes with its architecture and with the images, not from what the network has learnt:
a concept that always lies at one place, or that covers much of what is bright. A name survives if its IoU is greater
than that of any unit of the control with the concept.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from dissection.networks.shuffling import shuffle
from dissection.vocabulary import MIN_IOU

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dissection.networks.network import Network
    from dissection.vocabulary import Dissection, Unit, UnitName


def with_shuffled_weights(network: Network) -> Network:
    """A copy of a network in which the values of each parameter and of each buffer of real numbers are permuted."""
    shuffled = network.copied()
    tensors = chain(shuffled.module.parameters(), shuffled.module.buffers())
    shuffle((tensor for tensor in tensors if tensor.is_floating_point()), seed=0)
    return shuffled


def held_against(dissection: Dissection, control: Dissection) -> Dissection:
    """A dissection whose evidence has the control's greatest IoU with each unit's best concept."""
    greatest: dict[int, float] = {}
    for unit in control.units:
        for overlap in unit.overlaps:
            number = overlap.concept.number
            greatest[number] = max(overlap.iou, greatest.get(number, 0.0))
    return replace(dissection, units=tuple(_held_against(unit, greatest) for unit in dissection.units))


def named(control: Dissection) -> int:
    """How many units of a control have a name."""
    return len(control.names(MIN_IOU))


def survivors(names: Iterable[UnitName], units: Sequence[Unit]) -> int:
    """How many names have a greater IoU than any unit of the control has with the concept."""
    return sum(
        name.iou > evidence.control
        for name in names
        if (evidence := units[name.unit].evidence) is not None and evidence.control is not None
    )


def _held_against(unit: Unit, greatest: Mapping[int, float]) -> Unit:
    if unit.best is None or unit.evidence is None:
        return unit
    return replace(unit, evidence=replace(unit.evidence, control=greatest.get(unit.best.concept.number, 0.0)))
