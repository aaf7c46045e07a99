"""Lets a captioner judge captions of a batch's photographs, and an answerer answer what is asked about them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.errors import UnknownWordError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dissection.networks.network import Network
    from neuronexplain.vocabulary import CaptionSource

    from .batch import Batch
    from .record_journal import Record


@dataclass(frozen=True, slots=True, eq=False)
class AskedQuestion:
    """A question about some photographs of a batch.

    Attributes:
        places: which photographs of the batch, and which of their questions.
        batch: those photographs, as they are seen by the network that is asked: its classes are the answers.
    """

    places: Sequence[tuple[int, int]]
    batch: Batch


def captions_of(batch: Batch, source: CaptionSource) -> list[tuple[str, ...]]:
    """The captions of each photograph: what the network writes, or what people say.

    Raises:
        NetworkError: if the network writes no captions.
    """
    if source == "reference":
        return [annotated.captions for annotated in batch.annotated]
    captions = batch.network.captions(batch.images[:, 0].to(batch.network.device))
    return [(caption,) if caption.split() else () for caption in captions]


def judges_of(batch: Batch, captions: Sequence[str]) -> list[Network]:
    """The network as a judge of each caption, whose classes are the words; of those of which it knows every word."""
    judges = []
    for caption in captions:
        with suppress(UnknownWordError):
            judges.append(batch.network.saying(caption))
    return judges


def asked(batch: Batch) -> Iterator[AskedQuestion]:
    """What is asked about the photographs of a batch, each question once.

    Raises:
        NetworkError: if the network answers no questions, or does not understand one.
    """
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for image, annotated in enumerate(batch.annotated):
        for number, question in enumerate(annotated.questions):
            places[question.text].append((image, number))
    for text, of_text in places.items():
        yield AskedQuestion(of_text, batch.part(batch.network.asked(text), [image for image, _ in of_text]))


def records_of(batch: Batch) -> list[Record]:
    """For each photograph, a record of its questions, to which more is added."""
    return [
        {
            "image": annotated.name,
            "setting": annotated.setting,
            "questions": [
                {"text": question.text, "kind": question.kind, "answer": question.answer}
                for question in annotated.questions
            ],
        }
        for annotated in batch.annotated
    ]
