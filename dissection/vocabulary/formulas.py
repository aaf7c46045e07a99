"""Formulas of several concepts, and the names that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from .concepts import Concept
from .settings import MAX_Q

if TYPE_CHECKING:
    from collections.abc import Callable

    from .concepts import Places
    from .evidence import Quarter, Truth

Operator = Literal["or", "and", "and not"]
"""What joins a concept to a formula."""

OPERATORS: tuple[Operator, ...] = ("or", "and", "and not")


def operator_of(text: str) -> Operator:
    """The operator that a text is.

    Raises:
        ValueError: if it is none.
    """
    return OPERATORS[OPERATORS.index(text)]


@dataclass(frozen=True, slots=True)
class Formula:
    """Pixels that two concepts or more describe: each step joins a concept to all that stands before it.

    It speaks of those images only that are labelled in the categories of all its concepts.

    Attributes:
        first: the first concept.
        steps: the operators and the concepts that they join to it, in order.
    """

    first: Concept
    steps: tuple[tuple[Operator, Concept], ...]

    @property
    def length(self) -> int:
        """How many concepts it has."""
        return 1 + len(self.steps)

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Its concepts, in order."""
        return self.first, *(concept for _, concept in self.steps)

    @property
    def category(self) -> str:
        """The categories of its concepts, for people: "color and object"."""
        return " and ".join(sorted({concept.category for concept in self.concepts}))

    @property
    def spoken(self) -> str:
        """As people say it; concepts that may change places are in the order of their names, so equals are said alike.

        >>> wheel, car, bus = (Concept(n, name, "object") for n, name in enumerate(("wheel", "car", "bus"), 1))
        >>> Formula(wheel, (("and not", car),)).spoken
        'wheel but not car'
        >>> Formula(wheel, (("and not", car), ("and not", bus))).spoken
        'wheel but not bus or car'
        >>> Formula(wheel, (("or", car), ("or", bus))).spoken
        'bus, car or wheel'
        >>> Formula(wheel, (("or", car), ("and", bus))).spoken
        'car or wheel, and bus'
        """
        return self.worded(attrgetter("spoken"))

    def worded(self, word: Callable[[Concept], str]) -> str:
        """The same with each concept as ``word`` words it."""
        operators = [operator for operator, _ in self._ordered[1:]]
        names = [word(concept) for _, concept in self._ordered]
        if len(operators) > 1 and len(set(operators)) == 1:
            if operators[0] == "and not":
                return f"{names[0]} but not {', '.join(names[1:-1])} or {names[-1]}"
            return f"{', '.join(names[:-1])} {operators[0]} {names[-1]}"
        words = [f"{_JOINED[operator]} {name}" for operator, name in zip(operators, names[1:], strict=True)]
        return f"{names[0]} {', '.join(words)}"

    def holds(self, carries: Callable[[Concept], Places]) -> Places:
        """Where it holds, by where each concept is."""
        holds = carries(self.first)
        for operator, concept in self.steps:
            other = carries(concept)
            holds = (holds | other) if operator == "or" else (holds & (other if operator == "and" else ~other))
        return holds

    @property
    def _ordered(self) -> list[tuple[Operator, Concept]]:
        """Its terms, where the first has the operator of its neighbour; those of one kind may change places."""
        kind: Operator = "or" if self.steps[0][0] == "or" else "and"
        terms: list[tuple[Operator, Concept]] = [(kind, self.first), *self.steps]
        runs = groupby(terms, key=lambda term: term[0] == "or")
        return [term for _, run in runs for term in sorted(run, key=_place)]


def _place(term: tuple[Operator, Concept]) -> tuple[bool, str, str]:
    operator, concept = term
    return operator == "and not", concept.spoken, concept.category


_JOINED: dict[str, str] = {"or": "or", "and": "and", "and not": "but not"}

Meaning: TypeAlias = Concept | Formula
"""What a unit stands for: one concept, or a formula of several."""


def implies(meaning: Meaning, other: Meaning) -> bool:
    """Whether the second is wherever the first is, whatever the images show; concepts of one name count as one.

    >>> wheel, car = Concept(1, "wheel", "object"), Concept(2, "car", "object")
    >>> implies(Formula(wheel, (("and not", car),)), wheel), implies(wheel, Formula(wheel, (("and not", car),)))
    (True, False)
    """
    names = list(dict.fromkeys(concept.spoken for concept in (*meaning.concepts, *other.concepts)))
    worlds = range(1 << len(names))  # in each, some of the concepts are there
    is_in = {name: sum(1 << world for world in worlds if world >> place & 1) for place, name in enumerate(names)}

    def worlds_with(one: Meaning) -> int:
        return int(one.holds(lambda concept: is_in[concept.spoken]))

    return not worlds_with(meaning) & ~worlds_with(other)


@dataclass(frozen=True, slots=True)
class FormulaAreas:
    """How a unit's mask and a formula overlap on some images: those of them that are labelled in its categories.

    Attributes:
        intersection: ``I``, pixels of the mask at which the formula holds.
        unit_area: ``A``, pixels of the mask.
        formula_area: ``G``, pixels at which the formula holds.
    """

    intersection: int
    unit_area: int
    formula_area: int

    @property
    def iou(self) -> float:
        """Intersection over union; 0 if the union is empty."""
        union = self.unit_area + self.formula_area - self.intersection
        return self.intersection / union if union else 0.0


@dataclass(frozen=True, slots=True)
class Composition:
    """The formula of one length that describes a unit best on half of the images, and what the other half says of it.

    Attributes:
        formula: the formula.
        searched: its areas on the half in which it was searched for.
        held_out: its areas on the other half.
        gain: 95 % interval of its IoU on the other half, less that of the best shorter formula or concept.
        p: how likely as great an IoU is by chance, for the same search; 1 where its gain is refused before.
        q: the rate of false ones among the layer's formulas whose ``p`` is as small; 1 likewise.
        truth: how often it holds anywhere in an image when the unit responds, and when not.
        quarters: the lit images by strength, weakest first, as in :class:`Evidence`; empty where it gains nothing, and
            in runs before schema 6.
        lit_map: the unit's map on its fifth strongest image in which the formula holds, as in :class:`Evidence`; empty
            likewise.
    """

    formula: Formula
    searched: FormulaAreas
    held_out: FormulaAreas
    gain: tuple[float, float]
    p: float
    q: float
    truth: Truth
    quarters: tuple[Quarter, ...] = ()
    lit_map: tuple[float, ...] = ()

    @property
    def images(self) -> int:
        """Images in which it holds anywhere."""
        return self.truth.hit_images + self.truth.missed_images

    def is_accepted(self, max_q: float = MAX_Q) -> bool:
        """Whether it describes the unit better than anything shorter, on images that it was not searched on."""
        return self.gain[0] > 0 and self.q <= max_q
