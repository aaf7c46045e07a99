"""What is measured of one image's sentence, and means over images.

Every mean is a quotient of sums over images, so that mentions in one image, which are not independent, stay together
when images are redrawn for the interval.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- msgspec reads the annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from neuronexplain.counts import count
from neuronexplain.evaluation.ground_truth.labelled_concepts import category_of
from neuronexplain.metrics.intervals import Figure, figure
from neuronexplain.vocabulary import Role  # noqa: TC001 -- as above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow


@dataclass(frozen=True, slots=True)
class JudgedMention:
    """A concept in a sentence, held against the image.

    Attributes:
        role: what is said of it.
        concept: its key, or that of the formula that units stand for.
        units: the units that the sentence counts for it, strongest first.
        said: the share of images in which it is said to be there, if that is known.
        is_there: whether it is in what the network sees; ``None`` if the data cannot tell.
        on_concept: of a responding concept that is there, the share of its units' lit area that lies on it.
    """

    role: Role
    concept: str
    units: tuple[int, ...]
    said: float | None
    is_there: bool | None
    on_concept: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change of units' maps did to the score.

    Attributes:
        role: what the sentence says of the units.
        moved: by how much the score moved in the direction that is claimed.
        random: the same for each draw of as many random units.
    """

    role: Role
    moved: float
    random: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SentenceRecord:
    """One image and its sentence, if it has one.

    Attributes:
        image: the image's name.
        predicted: what the sentence is about: the index of the class that the network predicts, or a word of its
            caption; ``None`` without a sentence.
        scene: the class that the image's scene is; ``None`` if that is not known.
        sentence: the sentence; empty if there is none.
        labelled: the categories that the image is labelled in, and joint ones of formulas.
        shows: the concepts, and formulas that units stand for, in what the network sees, and their share of it.
        mentions: the concepts of the sentence.
        outcomes: what changes did to the score.
        emptied: what the score loses without all units of the layer.
        shuffled: role and concept of what is mentioned where the head is shuffled; ``None`` if it has no weights.
    """

    image: str
    predicted: int | str | None
    scene: int | None
    sentence: str
    labelled: frozenset[str]
    shows: Mapping[str, float]
    mentions: tuple[JudgedMention, ...]
    outcomes: tuple[Outcome, ...]
    emptied: float
    shuffled: tuple[tuple[str, str], ...] | None

    @classmethod
    def from_json(cls, record: Record) -> SentenceRecord:
        """The record that :meth:`to_json` wrote."""
        return msgspec.convert(record, cls)

    def to_json(self) -> Record:
        """JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self, order="sorted")
        return values

    def judged(self, role: Role) -> list[JudgedMention]:
        """The mentions in a role of which is known whether their concept is there."""
        return [mention for mention in self.mentions if mention.role == role and mention.is_there is not None]

    def tried(self, role: Role) -> list[Outcome]:
        """The outcomes of changes of units in a role."""
        return [outcome for outcome in self.outcomes if outcome.role == role]


def frequencies(records: Sequence[SentenceRecord]) -> dict[str, float]:
    """How often each mentioned concept is seen in the images that are labelled in its category."""
    keys = {mention.concept for record in records for mention in record.mentions}
    return {key: _frequency(key, records) for key in keys}


def mean(records: Sequence[SentenceRecord], values: Callable[[SentenceRecord], Iterable[float]]) -> Figure:
    """The mean of values, of which each image has any number."""
    lists = [list(values(record)) for record in records]
    return figure([sum(numbers) for numbers in lists], [len(numbers) for numbers in lists])


def percentage(records: Sequence[SentenceRecord], shares: Callable[[SentenceRecord], Iterable[float]]) -> Figure:
    """The mean of shares, in per cent."""
    return mean(records, lambda record: [100 * share for share in shares(record)])


def row(
    key: str,
    measure: str,
    value: Figure | float,
    beside: Figure | float | None = None,
    *,
    meaning: str = "",
    over: str = "",
) -> TableRow:
    """A row of the table.

    Args:
        key: identifies the row for programs.
        measure: what was measured.
        value: the figure.
        beside: what it is compared with.
        meaning: what that is.
        over: how many of what the figure is over.
    """
    return {"key": key, "measure": measure, "value": value, "beside": beside, "meaning": meaning, "over": over}


def counted(records: Sequence[SentenceRecord], values: Callable[[SentenceRecord], Iterable[object]], noun: str) -> str:
    """How many values there are in all images: "12 mentions"."""
    return count(sum(len(list(values(record))) for record in records), noun)


def _frequency(key: str, records: Sequence[SentenceRecord]) -> float:
    labelled = [record for record in records if category_of(key) in record.labelled]
    return sum(key in record.shows for record in labelled) / max(len(labelled), 1)
