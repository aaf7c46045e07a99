"""Does the score do what sentences say, and do sentences depend on the network?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuronexplain.counts import count
from neuronexplain.metrics.intervals import figure

from .records import counted, mean, percentage, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.vocabulary import Role

    from .records import Outcome, SentenceRecord

_MEASURES: Mapping[Role, str] = {
    "responds": "the score falls without what speaks for it",
    "against": "the score rises without what speaks against it",
    "absent": "the score falls with what is absent switched on",
    "missed": "the score rises with what is silent switched on",
}
_RANDOM = "random units, as active"


def cause_rows(records: Sequence[SentenceRecord]) -> Iterator[TableRow]:
    """For each kind of claim, how often the score moves as is claimed, and by how much."""
    for role, measure in _MEASURES.items():
        yield from _moves(records, _outcomes(role), role, measure)
    yield _held(records)


def shuffled_rows(records: Sequence[SentenceRecord]) -> Iterator[TableRow]:
    """What is still said where the head has lost what it learnt; sentences without a mention are not counted."""
    mentions, sentences = percentage(records, _kept), percentage(records, _is_kept)
    over = counted(records, _kept, "mention")
    yield row("shuffled-mentions", "mentions that stay with a shuffled head, %", mentions, over=over)
    over = counted(records, _is_kept, "sentence")
    yield row("shuffled-sentences", "sentences that mention the same then, %", sentences, over=over)


def _moves(
    records: Sequence[SentenceRecord], outcomes: Callable[[SentenceRecord], list[Outcome]], role: Role, measure: str
) -> Iterator[TableRow]:
    over = counted(records, outcomes, "sentence" if role == "responds" else "mention")
    yield row(
        f"{role}-sign",
        f"{measure}, %",
        percentage(records, lambda record: [outcome.moved > 0 for outcome in outcomes(record)]),
        percentage(records, lambda record: [_share_above_0(draws) for draws in _controls(outcomes(record))]),
        meaning=_RANDOM,
        over=over,
    )
    yield row(
        f"{role}-size",
        "    by",
        mean(records, lambda record: [outcome.moved for outcome in outcomes(record)]),
        mean(records, lambda record: map(_mean, _controls(outcomes(record)))),
        meaning=_RANDOM,
        over=over,
    )


def _held(records: Sequence[SentenceRecord]) -> TableRow:
    """What is spoken for a class holds of the score: its loss, by that without any unit, each summed over sentences.

    A sentence that names no unit that speaks for the class holds nothing. Sums, since a single score can lose next to
    nothing without any unit, or gain.
    """
    lost = [100 * sum(outcome.moved for outcome in record.tried("responds")) for record in records]
    random = [100 * sum(map(_mean, _controls(record.tried("responds")))) for record in records]
    is_controlled = [all(outcome.random for outcome in record.tried("responds")) for record in records]
    emptied = [record.emptied for record in records]
    return row(
        "held",
        "share of the score that is spoken of, %",
        figure(lost, emptied),
        figure(np.multiply(random, is_controlled), np.multiply(emptied, is_controlled)),
        meaning=_RANDOM,
        over=count(len(records), "sentence"),
    )


def _outcomes(role: Role) -> Callable[[SentenceRecord], list[Outcome]]:
    return lambda record: record.tried(role)


def _controls(outcomes: Sequence[Outcome]) -> list[tuple[float, ...]]:
    return [outcome.random for outcome in outcomes if outcome.random]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _share_above_0(values: Sequence[float]) -> float:
    return sum(value > 0 for value in values) / len(values)


def _kept(record: SentenceRecord) -> list[bool]:
    if record.shuffled is None:
        return []
    return [(mention.role, mention.concept) in record.shuffled for mention in record.mentions]


def _is_kept(record: SentenceRecord) -> list[bool]:
    kept = _kept(record)
    return [all(kept) and len(kept) == len(record.shuffled or ())] if kept else []
