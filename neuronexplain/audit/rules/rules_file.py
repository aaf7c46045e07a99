"""Reads a file of rules, such as that a class may not lean on a concept by more than 5 % of its score.

::

    photographs = "photos"        # a folder per class; paths are relative to this file
    masks = "hair-masks"          # concept data

    [[rule]]
    name = "nurses by their work"
    class = "nurse"
    concept = "hair"
    at_most = "5%"

    [[rule]]
    class = "zebra"
    concept = "stripes"
    must_lean = true
    way = "pixels"

Nothing is passed over: a key that is not known, or a value that says nothing, is refused with its line.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from dissection.errors import NeuronExplainError
from neuronexplain.audit.effect.ways import LEAST, WayName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TOP = ("photographs", "masks", "rule")
_DEFAULT_WAY: WayName = "neurons"
"""Of features too: a file does not know what the names are of. So the names of its rules leave it out."""

_RULE = ("name", "class", "concept", "thing", "way", "at_most", "at_least", "must_lean")
_LIMITS = ("at_most", "at_least", "must_lean")
_PERCENT = re.compile(r"([+-]?\d+(?:\.\d+)?) ?%")
_EXAMPLE = 'a rule needs class = "nurse", concept = "hair", and at_most = "5%", at_least = "2%" or must_lean = true'


class RulesError(NeuronExplainError):
    """A file of rules cannot be read, or says something that is no rule."""


@dataclass(frozen=True, slots=True)
class LeaningRule:
    """What must hold of a class and a concept.

    Attributes:
        name: what people call the rule.
        target: the class, as it was written.
        concept: the concept, as it was written.
        thing: the concept that the class means, as it was written; empty if it is not said.
        way: how it is told how much the class leans on the concept.
        at_most: the greatest share of the score, in per cent, that may rest on the concept.
        at_least: the least that must.
        must_lean: whether the class must lean on the concept at all.
    """

    name: str
    target: str
    concept: str
    thing: str
    way: WayName
    at_most: float | None
    at_least: float | None
    must_lean: bool

    @property
    def demand(self) -> str:
        """What the rule asks for, in words."""
        if self.must_lean:
            return f"{self.target} must lean on {self.concept}"
        if self.at_most is not None:
            return f"{self.target} may lean on {self.concept} by at most {self.at_most:g} % of its score"
        return f"{self.target} must lean on {self.concept} by at least {self.at_least:g} % of its score"


@dataclass(frozen=True, slots=True)
class RulesFile:
    """Rules, and what they are asked of.

    Attributes:
        path: the file.
        photographs: a folder of photographs per class; ``None`` if the file names none.
        masks: concept data; ``None`` if the file names none.
        rules: the rules, in their order.
    """

    path: Path
    photographs: Path | None
    masks: Path | None
    rules: tuple[LeaningRule, ...]


def read_rules(path: Path) -> RulesFile:
    """Read a file of rules.

    Raises:
        RulesError: if the file cannot be read, is not TOML, or holds anything that is not known or says nothing; the
            message names the line.
    """
    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise RulesError(f"{path} cannot be read ({error.strerror}); name a file of rules") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesError(f"{path} is not TOML: {error}; correct it") from error
    reading = _Reading(path, text)
    reading.require_known(values, _TOP, ())
    tables = values.get("rule", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise RulesError(f"{path} holds no [[rule]]; {_EXAMPLE}")
    places = {key: reading.text(values, key, ()) for key in ("photographs", "masks")}
    rules = tuple(reading.rule(table, number) for number, table in enumerate(tables))
    twice = [rule.name for number, rule in enumerate(rules) if rule.name in {other.name for other in rules[:number]}]
    if twice:
        raise RulesError(f"{path}: two rules are called {twice[0]!r}; give one of them another name")
    folders = {key: path.parent / place if place else None for key, place in places.items()}
    return RulesFile(path, folders["photographs"], folders["masks"], rules)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file that is being read."""

    path: Path
    content: str

    def rule(self, table: Mapping[str, object], number: int) -> LeaningRule:
        at = ("rule", number)
        self.require_known(table, _RULE, at)
        for key in ("class", "concept"):
            if key not in table:
                raise RulesError(f"{self._place(at)}: rule {number + 1} has no {key}; {_EXAMPLE}")
        limits = [key for key in _LIMITS if key in table]
        if len(limits) != 1:
            stated = f"has {' and '.join(limits)}" if limits else "has no limit"
            raise RulesError(f"{self._place(at)}: rule {number + 1} {stated}; it needs one of {', '.join(_LIMITS)}")
        way = self.text(table, "way", at) or _DEFAULT_WAY
        if way not in get_args(WayName):
            raise self._bad((*at, "way"), f"{way!r} is no way; choose one of {', '.join(get_args(WayName))}")
        if table.get("must_lean", True) is not True:
            raise self._bad((*at, "must_lean"), f'it can only be true; to forbid leaning, write at_most = "{LEAST:g}%"')
        target, concept = self.text(table, "class", at), self.text(table, "concept", at)
        rule = LeaningRule(
            self.text(table, "name", at),
            target,
            concept,
            self.text(table, "thing", at),
            way,  # type: ignore[arg-type]  # one of its values
            self._percentage(table, "at_most", at),
            self._percentage(table, "at_least", at),
            must_lean="must_lean" in table,
        )
        return rule if rule.name else _named(rule)

    def require_known(self, table: Mapping[str, object], known: Sequence[str], at: tuple[str | int, ...]) -> None:
        for key in table:
            if key not in known:
                raise self._bad((*at, key), f"it is not known here; choose one of {', '.join(known)}")

    def text(self, table: Mapping[str, object], key: str, at: tuple[str | int, ...]) -> str:
        """A text that is not empty; empty if there is none."""
        value = table.get(key, "")
        if not isinstance(value, str) or (key in table and not value.strip()):
            raise self._bad((*at, key), f"it is {value!r}; a text in quotation marks is needed")
        return value

    def _percentage(self, table: Mapping[str, object], key: str, at: tuple[str | int, ...]) -> float | None:
        if key not in table:
            return None
        value = table[key]
        written = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
        if written is None or not 0 <= float(written[1]) <= 100:
            raise self._bad((*at, key), f'it is {value!r}; a share of the score from 0 to 100 is needed, such as "5%"')
        return float(written[1])

    def _bad(self, keys: tuple[str | int, ...], problem: str) -> RulesError:
        return RulesError(f"{self._place(keys)}: {keys[-1]}: {problem}")

    def _place(self, keys: tuple[str | int, ...]) -> str:
        line = line_of(self.content, keys)
        return f"{self.path}, line {line}" if line else str(self.path)


def _named(rule: LeaningRule) -> LeaningRule:
    way = "" if rule.way == _DEFAULT_WAY else f" ({rule.way})"
    return replace(rule, name=f"{rule.demand}{way}")


def line_of(text: str, keys: Sequence[str | int]) -> int | None:
    r"""The line with which a value is there, counted from 1: the first lines of a file are TOML themselves, mostly.

    >>> line_of('a = 1\n[[rule]]\nb = 2', ("rule", 0, "b"))
    3
    """
    lines = text.splitlines()
    for count in range(1, len(lines) + 1):
        try:
            value: object = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:  # a value goes on in the next line
            continue
        if _holds(value, keys):
            return count
    return None


def _holds(value: object, keys: Sequence[str | int]) -> bool:
    for key in keys:
        places = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if key not in places:
            return False
        value = value[key]  # type: ignore[index]  # a list or a table that holds it
    return True
