"""``neuronexplain evaluate words``: how true the sentences are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NetworkError, NeuronExplainError
from neuronexplain.cli import console, options
from neuronexplain.cli.groups import grouped
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

from .inputs import open_stored
from .measuring import Measurement

if TYPE_CHECKING:
    from db import NameStore
    from db.records import Run
    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network
    from neuronexplain.evaluation.words.speakers import Speaker


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOptions:
    """What a sentence may say, as in ``neuronexplain explain``."""

    top: Annotated[int, typer.Option(min=1, help="How many neurons for, and how many against.")] = DEFAULT_RULES.k
    rank_by: options.Ranking = DEFAULT_RULES.rank_by
    among: options.AmongNeurons = DEFAULT_RULES.among
    min_iou: options.MinIou = DEFAULT_RULES.min_iou
    max_q: options.MaxQ = DEFAULT_RULES.max_q
    min_truth: options.MinTruth = DEFAULT_RULES.min_truth

    @property
    def rules(self) -> Rules:
        """The rules."""
        return Rules(self.top, self.rank_by, self.among, self.min_iou, self.max_q, self.min_truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenOptions:
    """Concept data that names were not found with."""

    concepts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A concept dataset that did not name the neurons.")
    ] = None
    scenes: Annotated[
        int | None, typer.Option(min=1, help="Generate this many scenes, instead of --concepts; the demo's seed is 1.")
    ] = None
    described: Annotated[
        int | None, typer.Option(min=1, help="Generate this many scenes that captions and answers are about.")
    ] = None
    limit: Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")] = None
    seed: Annotated[int, typer.Option(help="Seed of generated scenes and of all random choices.")] = 2

    def open(self, out: Path) -> ConceptDataset:
        """Open the dataset; scenes are drawn into ``out`` unless they are there."""
        from dissection.concepts.generated import write_described, write_scenes
        from dissection.concepts.layouts import open_concepts

        if sum(source is not None for source in (self.concepts, self.scenes, self.described)) != 1:
            raise NeuronExplainError(
                "name the concept data with --concepts, or a number of scenes with --scenes or --described"
            )
        if self.concepts is not None:
            return open_concepts(self.concepts)
        kind, write = ("scenes", write_scenes) if self.described is None else ("described", write_described)
        count = self.scenes or self.described or 0
        folder = out / f"{kind}-{count}-{self.seed}"
        if not folder.is_dir():
            with console.progress() as progress:
                write(
                    folder, images=count, seed=self.seed, progress=lambda done: progress("drawing scenes", done, count)
                )
        return open_concepts(folder)


@grouped
def words(
    *,
    db: options.Db,
    run: options.RunNumber = None,
    network: options.NetworkNow = None,
    weights: options.Weights = None,
    ema: options.Ema = False,
    dictionary: options.DictionaryNow = None,
    device: options.Device = "cpu",
    unseen: UnseenOptions,
    rules: RuleOptions,
    question: options.Question = None,
    halves: Annotated[
        bool, typer.Option("--halves", help="Also name the neurons with each half of the data, and compare.")
    ] = False,
    measurement: Measurement,
) -> None:
    """Check sentences: is what they say there, does the score do what they say, what do readers learn? (Sec. 7).

    The sentences are about what the network predicts, or answers to --question. Of a network that writes captions, they
    are about one word of each caption, drawn among those that owe something to the picture. The concept data must be
    other than what named the neurons.

    Example: neuronexplain evaluate words --db names.db --concepts other-concepts --out figures
    """
    from db import NameStore
    from db.records import require_evidence
    from neuronexplain.evaluation.ground_truth.labelled_concepts import open_unseen
    from neuronexplain.evaluation.protocols import Words
    from neuronexplain.evaluation.words.halves import agreement_of_halves

    with NameStore.open(db) as store:
        opened, naming_run = open_stored(
            store, run, network=network, weights=weights, ema=ema, dictionary=dictionary, device=device
        )
        opened = opened if question is None else opened.asked(question)
        speaker = _speaker(opened, store, naming_run, rules=rules.rules, seed=unseen.seed)
    require_evidence(naming_run)
    dataset = unseen.open(measurement.out)
    with console.progress() as progress:
        ground = open_unseen(
            dataset,
            naming_run.key.concepts,
            limit=unseen.limit,
            progress=lambda done, total: progress("reading the concept data", done, total),
        ).with_meanings(speaker.explainer.meanings.values())
    agreement = None
    if halves:
        with measurement.execution() as execution:
            agreement = agreement_of_halves(
                opened,
                ground.dataset,
                quantile=naming_run.key.quantile,
                min_images=naming_run.key.min_images,
                min_iou=rules.min_iou,
                seed=unseen.seed,
                execution=execution,
            )
    protocol = Words.over(ground, speaker, naming_run, agreement=agreement, seed=unseen.seed)
    measurement.measure(protocol, opened, [], ground, view="centre")


def _speaker(network: Network, store: NameStore, run: Run, *, rules: Rules, seed: int) -> Speaker:
    """Who says the sentences of a network.

    Raises:
        NetworkError: if it says nothing: it answers questions, and is asked none, or has no classes.
    """
    from dissection.networks.forward import require_classes
    from dissection.networks.language import Answering, Captioning
    from neuronexplain.evaluation.words.speakers import OfCaptions, OfPredictions
    from neuronexplain.explainer import Explainer
    from neuronexplain.language.captions import CaptionExplainer

    if isinstance(network.language, Answering) and not network.classes:
        raise NetworkError(f"{network.name} answers questions; ask it one with --question")
    explainer = Explainer.from_store(network, store, run=run, rules=rules)
    if isinstance(network.language, Captioning):
        return OfCaptions(CaptionExplainer.of(explainer, store, run), seed)
    require_classes(network)
    return OfPredictions(explainer, seed)
