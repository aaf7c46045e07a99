"""The terms that readers meet, each said in a sentence or two: once, for pages, tooltips and the docs alike."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dissection.vocabulary import CommonNoun


@dataclass(frozen=True, slots=True)
class GlossaryTerm:
    """A term and what it means.

    Attributes:
        term: how it is written, with other words for it after commas.
        says: what it means, with ``{neuron}`` for what a unit is called.
    """

    term: str
    says: str

    def said_of(self, noun: CommonNoun) -> str:
        """What it means, where readers call a unit this."""
        return self.says.replace("{neuron}", noun).replace("{Neuron}", noun.capitalize())


@cache
def glossary() -> Mapping[str, GlossaryTerm]:
    """The terms by key, in the order of their subjects."""
    text = files("neuronexplain.report").joinpath("glossary.toml").read_text("utf-8")
    return MappingProxyType({key: GlossaryTerm(**entry) for key, entry in tomllib.loads(text).items()})


def meaning(key: str, noun: CommonNoun = "neuron") -> str:
    """What the term of a key means; templates call it, and a key that is not there is an error of theirs."""
    return glossary()[key].said_of(noun)
