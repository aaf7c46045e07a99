"""Are the words of the network's captions right, by kind of word, and could they be guessed?"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dissection.errors import ConceptDataError
from neuronexplain.evaluation.guessed import Said, accuracy_report
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import captions_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method

Slot = tuple[str, int]
"""A place in captions that are all built alike: the first colour, the second thing."""


@dataclass(frozen=True)
class CaptionAccuracy(Protocol):
    """Words of the network's captions that are the reference's, where all captions are built alike.

    The first colour is compared with the first colour, the second thing with the second thing, and so on; a word that
    the network does not say is wrong.

    Attributes:
        words: the kinds of words.
        seed: seed of the two halves of the images, each of which tells what can be guessed of the other.

    Raises:
        ConceptDataError: if the kinds of words are not known.
    """

    words: WordTable
    seed: int = 0

    name = "caption-accuracy"
    needs = frozenset(("one crop", "captions"))

    def __post_init__(self) -> None:
        if not self.words.kinds:
            raise ConceptDataError(
                "captions are compared word by word where all are built alike, and these are not; use described scenes"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {"words": self.words.digest, "seed": self.seed}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """What the network writes, and the reference."""
        return [
            {
                "image": annotated.name,
                "setting": annotated.setting,
                "caption": " ".join(captions),
                "reference": annotated.captions[0],
            }
            for annotated, captions in zip(batch.annotated, captions_of(batch, "written"), strict=True)
        ]

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for all words, and for each kind of word."""
        written = [self._slots(record["caption"]) for record in records]
        spoken: defaultdict[Slot, Counter[str]] = defaultdict(Counter)
        for slots in written:
            for slot, word in slots.items():
                spoken[slot][word] += 1
        others = len(records) - 1
        said = [
            [
                Said(
                    kind=slot[0],
                    known=slot,
                    right=word,
                    is_right=(is_right := slots.get(slot) == word),
                    beside=(spoken[slot][word] - is_right) / others if others else None,
                )
                for slot, word in self._slots(record["reference"]).items()
            ]
            for record, slots in zip(records, written, strict=True)
        ]
        return accuracy_report(
            "Words of captions",
            said,
            [record["setting"] for record in records],
            of_what="words",
            known="place in the caption",
            notes=["another picture: the mean of the captions of all others"],
            seed=self.seed,
        )

    def _slots(self, caption: str) -> dict[Slot, str]:
        """The word in each place of a caption."""
        words = caption.casefold().split()
        counts: Counter[str] = Counter()
        slots: dict[Slot, str] = {}
        for word, kind in zip(words, self.words.kinds_of(words), strict=True):
            slots[kind, counts[kind]] = word
            counts[kind] += 1
        return slots
