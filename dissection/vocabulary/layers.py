"""A layer of a network, and what readers call its units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

DICTIONARY_AT = "dictionary at "
"""What the name of a layer begins with whose units are the features of a dictionary; the layer that they are made of
follows."""

UnitNoun = Literal["neuron", "feature"]
"""What readers call a unit."""

CommonNoun = Literal["neuron", "feature", "unit"]
"""What readers call a unit of several layers: if some are neurons and some features, a unit."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The tap point: a module whose output is the feature map ``A``, rectified if the network rectifies it.

    Attributes:
        name: dotted module name, e.g. ``features.29``.
        units: number of channels.
        height: rows of the map at the network's input size.
        width: columns of the map.
        rectifier: the function (``relu`` or ``relu6``) that the network calls on the module's output before anything
            else, if a function and not a module rectifies it; empty if the output itself is the map.
    """

    name: str
    units: int
    height: int
    width: int
    rectifier: str = ""

    @property
    def noun(self) -> UnitNoun:
        """What readers call its units: neurons, or the features of a dictionary."""
        return "feature" if self.name.startswith(DICTIONARY_AT) else "neuron"

    @property
    def module(self) -> str:
        """The name of the network's own layer, whether or not a dictionary takes it apart."""
        return self.name.removeprefix(DICTIONARY_AT)


def common_noun(layers: Iterable[Layer]) -> CommonNoun:
    """What readers call a unit of any of these layers."""
    nouns: set[CommonNoun] = {layer.noun for layer in layers}
    return nouns.pop() if len(nouns) == 1 else "unit"
