"""Are the concepts of sentences in the images, as often as was said, and where the units are lit?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.counts import count
from neuronexplain.metrics.calibration import BINS, area_under_roc, bin_of
from neuronexplain.metrics.intervals import figure

from .records import counted, frequencies, mean, percentage, row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dissection.vocabulary import UnitNoun
    from neuronexplain.evaluation.tables import TableRow

    from .records import JudgedMention, SentenceRecord


def truth_rows(records: Sequence[SentenceRecord], noun: UnitNoun = "neuron") -> Iterator[TableRow]:
    """What holds of the concepts that respond, and of those that are said not to be there; readers call a unit so."""
    rates = frequencies(records)
    yield from _responding(records, rates, noun)
    yield from _said(records, rates)
    yield _absent(records, rates)
    yield _area(records)


def _responding(records: Sequence[SentenceRecord], rates: Mapping[str, float], noun: UnitNoun) -> Iterator[TableRow]:
    yield row(
        "responds-true",
        f'"its {noun}s for X respond": X is there, %',
        percentage(records, lambda record: map(_is_there, record.judged("responds"))),
        percentage(records, lambda record: [rates[mention.concept] for mention in record.judged("responds")]),
        meaning="X is in any image",
        over=counted(records, lambda record: record.judged("responds"), "mention"),
    )
    numbers = [sum(mention.role == "responds" for mention in record.mentions) for record in records]
    over = count(len(records), "sentence")
    yield row("mentions", "responding concepts in a sentence", figure(numbers), over=over)
    spoken = figure([100 * (number > 0) for number in numbers])
    yield row("spoken", "sentences with at least one, %", spoken, over=over)


def _said(records: Sequence[SentenceRecord], rates: Mapping[str, float]) -> Iterator[TableRow]:
    mentions = [mention for record in records for mention in _with_truth(record)]
    for number in sorted({bin_of(_said_of(mention)) for mention in mentions}):
        yield _bin(records, number)
    over = count(len(mentions), "mention")
    yield row(
        "brier",
        "squared error of what was said (Brier score)",
        mean(records, lambda record: [(_said_of(one) - _is_there(one)) ** 2 for one in _with_truth(record)]),
        mean(records, lambda record: [(rates[one.concept] - _is_there(one)) ** 2 for one in _with_truth(record)]),
        meaning="saying how often X is in any image",
        over=over,
    )
    said, is_there = (np.array([of(mention) for mention in mentions]) for of in (_said_of, _is_there))
    auc = area_under_roc(said.astype(np.float64), is_there.astype(bool))
    yield row("auc", "AUC of what was said", auc, 0.5, meaning="chance", over=over)


def _bin(records: Sequence[SentenceRecord], number: int) -> TableRow:
    low, high = (round(100 * edge / BINS) for edge in (number, number + 1))

    def chosen(record: SentenceRecord) -> list[JudgedMention]:
        return [mention for mention in _with_truth(record) if bin_of(_said_of(mention)) == number]

    return row(
        f"said-{low}",
        f"said with {low} to {high} %: X is there, %",
        percentage(records, lambda record: map(_is_there, chosen(record))),
        percentage(records, lambda record: map(_said_of, chosen(record))),
        meaning="what was said",
        over=counted(records, chosen, "mention"),
    )


def _absent(records: Sequence[SentenceRecord], rates: Mapping[str, float]) -> TableRow:
    return row(
        "absent-true",
        '"there is no X": X is not there, %',
        percentage(records, lambda record: [1 - _is_there(mention) for mention in record.judged("absent")]),
        percentage(records, lambda record: [1 - rates[mention.concept] for mention in record.judged("absent")]),
        meaning="X is not in any image",
        over=counted(records, lambda record: record.judged("absent"), "mention"),
    )


def _area(records: Sequence[SentenceRecord]) -> TableRow:
    return row(
        "area",
        "lit area that lies on X, where X is there, %",
        percentage(records, lambda record: [share for _, share in _lit_shares(record)]),
        percentage(records, lambda record: [record.shows[concept] for concept, _ in _lit_shares(record)]),
        meaning="X's share of the image",
        over=counted(records, _lit_shares, "mention"),
    )


def _lit_shares(record: SentenceRecord) -> list[tuple[str, float]]:
    return [(mention.concept, mention.on_concept) for mention in record.mentions if mention.on_concept is not None]


def _with_truth(record: SentenceRecord) -> list[JudgedMention]:
    return [mention for mention in record.judged("responds") if mention.said is not None]


def _is_there(mention: JudgedMention) -> float:
    return float(mention.is_there or 0)


def _said_of(mention: JudgedMention) -> float:
    return mention.said or 0.0
