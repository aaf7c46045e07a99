"""What the words of captions owe to the picture, by kind of word: is it likelier with its picture than with others?"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import logsigmoid

from neuronexplain.caption import OWES, Debt
from neuronexplain.counts import count
from neuronexplain.evaluation.protocols.protocol import Protocol
from neuronexplain.evaluation.speaking import captions_of, judges_of
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import difference, figure, quantile, transformed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float64

    from dissection.networks.network import Network
    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import CaptionSource

_ALL = "all words"
_COLUMNS = {
    "kind": "kind of word",
    "words": "words",
    "perplexity": "perplexity",
    "beside": "with another picture",
    "ratio": "times as great",
    "debt": "owed to the picture, nats",
    "low": "a tenth owes at most",
    "median": "half",
    "high": "nine tenths",
    "owed": f"surely owe over {OWES:g} nat %",
    "none": "surely owe less %",
    "images": "images",
}


@dataclass(frozen=True)
class CaptionDebts(Protocol):
    """Log-probabilities of words, given those before them, with the picture and with others.

    Attributes:
        words: the kinds of words.
        captions: whose captions are judged.
        others: with how many other pictures each image is compared.
    """

    words: WordTable
    captions: CaptionSource = "reference"
    others: int = 16

    name = "caption-debts"
    needs = frozenset(("one crop", "captions"))

    @property
    def comparisons(self) -> int:
        """With how many other pictures each image is compared."""
        return self.others

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {"words": self.words.digest, "captions": self.captions, "others": self.others}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """The log-probability of each word of each caption, and the mean of it with other pictures."""
        records: list[Record] = []
        for image, captions in enumerate(captions_of(batch, self.captions)):
            judges = judges_of(batch, captions)
            words = [word for judge in judges for word in self._judged(batch, image, judge)]
            unknown = len(captions) - len(judges)
            records.append({"image": batch.annotated[image].name, "words": words, "unknown": unknown})
        return records

    def _judged(self, batch: Batch, image: int, judge: Network) -> list[dict[str, Any]]:
        (likely,) = _log_probabilities(batch.part(judge, [image]))
        beside = _log_probabilities(batch.beside(judge, image))
        debts = [Debt.to(log, others) for log, others in zip(likely.tolist(), beside.T.tolist(), strict=True)]
        return [
            {
                "text": word,
                "kind": kind,
                "log": float(log),
                "beside": float(others.mean()),
                "owed": debt is not None and debt.is_owed,
                "none": debt is not None and debt.is_none,
            }
            for word, kind, log, others, debt in zip(
                judge.classes, self.words.kinds_of(judge.classes), likely, beside.T, debts, strict=True
            )
        ]

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """A row for all words, and for each kind of word."""
        words = [record["words"] for record in records]
        kinds = dict.fromkeys(word["kind"] for of_image in words for word in of_image)
        rows = [_row(_ALL, words)]
        if len(kinds) > 1:
            rows += [_row(kind, [[w for w in of_image if w["kind"] == kind] for of_image in words]) for kind in kinds]
        unknown = sum(record["unknown"] for record in records)
        notes = [
            "perplexities are of words, given those before them; the end of a caption is left out",
            f"another picture: the mean log-probability of {self.others} others, or of all there are",
        ]
        notes += [f"left out: {count(unknown, 'caption')} with a word that the network does not know"] * bool(unknown)
        return Report("What words owe to the picture, Sec. 8.1", _COLUMNS, tuple(rows), tuple(notes))


def _log_probabilities(batch: Batch) -> Float64[np.ndarray, "images words"]:
    """How likely each word is with each image, given those before it."""
    logs: Float64[np.ndarray, "images words"] = logsigmoid(torch.from_numpy(batch.logits[:, 0])).numpy()
    return logs


def _row(kind: str, words: Sequence[Sequence[dict[str, Any]]]) -> TableRow:
    counts = [len(of_image) for of_image in words]

    def sums(key: str, factor: float = 1.0) -> list[float]:
        return [factor * sum(word[key] for word in of_image) for of_image in words]

    costs, costs_beside = (sums("log", -1), counts), (sums("beside", -1), counts)
    debts = [[word["log"] - word["beside"] for word in of_image] for of_image in words]
    return {
        "kind": kind,
        "words": sum(counts),
        "perplexity": transformed(figure(*costs), exp),
        "beside": transformed(figure(*costs_beside), exp),
        "ratio": transformed(difference(costs_beside, costs), exp),
        "debt": difference(costs_beside, costs),
        **{column: quantile(debts, share) for column, share in (("low", 0.1), ("median", 0.5), ("high", 0.9))},
        "owed": figure(sums("owed", 100), counts),
        "none": figure(sums("none", 100), counts),
        "images": sum(map(bool, counts)),
    }
