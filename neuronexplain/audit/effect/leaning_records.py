"""What is measured of one photograph: what the class's score loses without a concept, and where the concept is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from neuronexplain.evaluation.record_journal import Record


@dataclass(frozen=True, slots=True)
class Silenced:
    """A photograph's answer without some units.

    Attributes:
        loss: what the score of the class loses.
        probability: the probability of the class then.
        is_right: whether the class is predicted then.
        random: what the score loses without as many other units that are as active, by draw; empty if there are not
            as many.
    """

    loss: float
    probability: float
    is_right: bool
    random: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """A photograph's score with pixels covered.

    Attributes:
        area: the share of the pixels that are covered.
        fall: by how much the score falls where the concept is covered.
        elsewhere: by how much it falls where as much is covered elsewhere, by draw.
    """

    area: float
    fall: float
    elsewhere: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LeaningRecord:
    """What is measured of one photograph.

    Attributes:
        image: its name.
        number: its number among the photographs of the audit.
        is_of_class: whether it shows the class.
        score: the class's score.
        probability: the class's probability.
        is_right: whether the class is predicted.
        total: what all units of the layer put into the score to first order, for or against: the sum of the magnitudes
            of their effects.
        silenced: its answer without the concept's units; ``None`` if there are none, or it does not show the class.
        covered: its scores with pixels covered; ``None`` if the concept is not in what the network sees, or it does not
            show the class.
        has_no_room: whether that is because the concept leaves no room to cover as much elsewhere.
        is_there: whether the concept is in what the network sees; ``None`` if nobody says.
        lit: what the lit cells of the concept's units put into the class's score, to first order.
    """

    image: str
    number: int
    is_of_class: bool
    score: float
    probability: float
    is_right: bool
    total: float
    silenced: Silenced | None
    covered: Covered | None
    has_no_room: bool
    is_there: bool | None
    lit: float | None

    @classmethod
    def from_json(cls, record: Record) -> LeaningRecord:
        """The record that :meth:`to_json` wrote."""
        return msgspec.convert(record, cls)

    def to_json(self) -> Record:
        """JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self, order="sorted")
        return values
