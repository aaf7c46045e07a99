"""Names the units of each kind, and judges the sentences that are made of the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from db import NameStore
from dissection.execution.settings import Execution
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.dictionaries.dictionary import Dictionary
from neuronexplain import Explainer, build
from neuronexplain.evaluation.ground_truth.labelled_concepts import open_unseen
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.record_journal import read_records
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.words.records import SentenceRecord
from neuronexplain.evaluation.words.speakers import OfPredictions
from neuronexplain.metrics.intervals import difference
from neuronexplain.vocabulary import Rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Progress
    from dissection.networks.network import Network
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.metrics.intervals import Figure


@dataclass(frozen=True, slots=True)
class Comparison:
    """Kinds of units that are compared.

    Attributes:
        network: the network.
        named: names the units.
        judged: judges the sentences.
        quantile: quantile of the builds.
        out: folder for what is made.
        progress: shows how far things are.
    """

    network: Network
    named: ConceptDataset
    judged: ConceptDataset
    quantile: float
    out: Path
    progress: Progress

    def dictionary(self, name: str, learn: Callable[[], Dictionary]) -> Dictionary:
        """A dictionary that is learned once."""
        path = self.out.parent / "dictionaries" / f"{name}.pt"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            learned = learn()
            torch.save({**learned.tensors, "activation": learned.activation, "k": learned.k}, path)
        return Dictionary(**torch.load(path, weights_only=True))

    def report(self, name: str, dictionary: Dictionary | None) -> Report:
        """How true sentences are."""
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        network = self.network if dictionary is None else with_dictionary(self.network, dictionary)
        execution = Execution(progress=self.progress)
        if not (folder / "names.db").exists():
            with NameStore.create(folder / "unfinished.db") as store:
                build(network, self.named, store, quantile=self.quantile, execution=execution)
            (folder / "unfinished.db").rename(folder / "names.db")
        with NameStore.open(folder / "names.db") as store:
            run = store.newest()
            explainer = Explainer.from_store(network, store, run=run, rules=Rules(rank_by="contribution"))
        ground = open_unseen(self.judged, run.key.concepts)
        protocol = Words.over(ground, OfPredictions(explainer, 2), run, seed=2)
        return evaluate(protocol, network, [], ground, folder, view="centre", execution=execution)

    def advantage(self, name: str, other: str) -> Figure:
        """By how many points more of what responds is there than with other units, over the same images."""
        return difference(self._there(name), self._there(other))

    def _there(self, name: str) -> tuple[list[float], list[float]]:
        """Of each image: 100 times how many concepts that respond are there, and how many do."""
        records = map(SentenceRecord.from_json, read_records(self.out / name / "words.jsonl"))
        mentions = [record.judged("responds") for record in records]
        return [100.0 * sum(bool(one.is_there) for one in some) for some in mentions], [
            float(len(some)) for some in mentions
        ]
