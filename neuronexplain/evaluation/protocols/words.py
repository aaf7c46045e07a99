"""How true are sentences? On images that named no unit: what is there, what the score does, what a reader learns.

Each image is explained, the class that is predicted for it or a word of its caption, and each claim of its sentence is
checked:

- Where neurons for X respond, X is in the part of the image that the network sees; where "there is no X", it is not.
  This is asked only of images that are labelled in the category of X; if X is a formula, in those of all its concepts.
- The score does what the clause says of it. It falls without all units that are said to speak for that
  (``responds``), rises without the units that speak against it (``against``), falls where the units of an absent
  concept are switched on (``absent``), and rises where those that stay silent are (``missed``). A unit is switched on
  by its lit map, which its evidence keeps. Random units that are as active are changed alike.
- The sentence depends on the network: it is said again, of the same score, with the weights behind the layer shuffled.

:mod:`neuronexplain.evaluation.words` holds the parts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dissection.engine.upsampling import upsample
from neuronexplain.evaluation.ground_truth.labelled_concepts import category_of
from neuronexplain.evaluation.words.interventions import Change, changed_scores
from neuronexplain.evaluation.words.mentions import mentions_of
from neuronexplain.evaluation.words.records import JudgedMention, SentenceRecord
from neuronexplain.evaluation.words.table import words_report
from neuronexplain.evaluation.words.trials import trials_of
from neuronexplain.named_layer import NamedLayer

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float32, Float64

    from db.records import Run
    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.framing import Truth
    from neuronexplain.evaluation.ground_truth.labelled_concepts import LabelledConcepts
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.evaluation.words.halves import Agreement
    from neuronexplain.evaluation.words.mentions import Mention
    from neuronexplain.evaluation.words.speakers import Sentences, Speaker
    from neuronexplain.evaluation.words.trials import Trial
    from neuronexplain.methods import Method

    Said = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Words(Protocol):
    """Whether sentences are true of what is in the images, and of the network.

    Attributes:
        speaker: says the sentences; its units have evidence for their names.
        run: digest of the run that names the units.
        vocabulary: the keys of the dataset's concepts, and of formulas of them; of others nothing is known.
        scenes: the class that a scene of the dataset is, by its concept's key; empty if no scene is a class.
        agreement: of the names that two halves of the dataset give, if they were compared.
        draws: random choices of units for each change.
        seed: seed of all random choices but the speaker's.
    """

    speaker: Speaker
    run: str
    vocabulary: frozenset[str]
    scenes: Mapping[str, int]
    agreement: Agreement | None = None
    draws: int = 4
    seed: int = 0

    name = "words"
    needs = frozenset(("centre",))

    @classmethod
    def over(
        cls,
        ground: LabelledConcepts,
        speaker: Speaker,
        run: Run,
        *,
        agreement: Agreement | None = None,
        seed: int = 0,
    ) -> Words:
        """The protocol for a dataset.

        Args:
            ground: the dataset, which did not name the units; it tells where formulas hold that units stand for.
            speaker: says the sentences.
            run: names its units.
            agreement: of the names that two halves of the dataset give.
            seed: seed of all random choices but the speaker's.
        """
        scenes = ground.scenes(speaker.classes) if speaker.classes else {}
        return cls(speaker, run.key.digest, ground.vocabulary, scenes, agreement, seed=seed)

    @property
    def settings(self) -> dict[str, Any]:
        """What the records depend on besides network and data, as JSON values."""
        rules = asdict(self.speaker.explainer.rules)
        return {"run": self.run, "rules": rules, "draws": self.draws, "seed": self.seed, **self.speaker.settings}

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:  # noqa: ARG002
        """What each image shows and its sentence mentions, and what the score does when maps are changed."""
        records = [self._without_sentence(batch, image) for image in range(len(batch))]
        for sentences in self.speaker.speak(batch):
            for image, record in zip(sentences.images, self._with_sentences(batch, sentences, records), strict=True):
                records[image] = record
        return [record.to_json() for record in records]

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:  # noqa: ARG002
        """One table for everything."""
        return words_report(
            list(map(SentenceRecord.from_json, records)),
            names=self.speaker.explainer.names,
            meanings=self.speaker.explainer.meanings,
            units=self.speaker.explainer.units,
            max_q=self.speaker.explainer.rules.max_q,
            by_scene=bool(self.scenes),
            known_by=self.speaker.explained,
            agreement=self.agreement,
            seed=self.seed,
            noun=self.speaker.explainer.network.layer.noun,
        )

    @cached_property
    def _layer(self) -> NamedLayer:
        return NamedLayer(self.speaker.explainer.units, self.speaker.explainer.rules)

    @cached_property
    def _lit_maps(self) -> Float32[np.ndarray, "units h w"]:
        layer = self.speaker.explainer.network.layer
        return self._layer.lit_maps(layer.height, layer.width)

    def _without_sentence(self, batch: Batch, image: int) -> SentenceRecord:
        """What an image shows."""
        annotated = batch.annotated[image]
        return SentenceRecord(
            image=annotated.name,
            predicted=None,
            scene=next((self.scenes[key] for key in annotated.places if key in self.scenes), None),
            sentence="",
            labelled=annotated.categories,
            shows={key: float(truth.region.mean()) for key, truth in batch.truths[image].items()},
            mentions=(),
            outcomes=(),
            emptied=0.0,
            shuffled=None,
        )

    def _with_sentences(
        self, batch: Batch, sentences: Sentences, records: Sequence[SentenceRecord]
    ) -> Iterator[SentenceRecord]:
        """The records of the images that sentences are about, completed."""
        images, explanations, reruns = sentences.images, sentences.explanations, sentences.reruns
        mentions = list(map(mentions_of, explanations))
        noted = reruns.forward(batch.images[list(images), 0])
        activations = noted.result.activation.detach().double().cpu().numpy()
        trials = [
            self._trials(batch.start + image, of_image, activation)
            for image, of_image, activation in zip(images, mentions, activations, strict=True)
        ]
        everything = Change(tuple(range(len(self.speaker.explainer.units))))
        changes = [
            [Change(()), everything, *chain.from_iterable(trial.changes for trial in of_image)] for of_image in trials
        ]
        targets = torch.tensor([explanation.target.index for explanation in explanations])
        scores = changed_scores(reruns, noted, targets, torch.from_numpy(self._lit_maps), changes)
        shuffled = _shuffled_mentions(batch, sentences)
        for number, image in enumerate(images):
            before, emptied, *after = scores[number]
            remaining = iter(after)
            yield replace(
                records[image],
                predicted=self.speaker.identity(explanations[number]),
                sentence=explanations[number].sentence,
                mentions=tuple(
                    self._judged(mention, batch, image, activations[number]) for mention in mentions[number]
                ),
                outcomes=tuple(
                    trial.outcome(before, [next(remaining) for _ in trial.changes]) for trial in trials[number]
                ),
                emptied=before - emptied,
                shuffled=shuffled[number],
            )

    def _trials(
        self, image: int, mentions: Sequence[Mention], activation: Float64[np.ndarray, "units h w"]
    ) -> list[Trial]:
        return trials_of(
            mentions,
            activation,
            self._lit_maps,
            self._layer.thresholds,
            draws=self.draws,
            generator=np.random.default_rng((self.seed, image)),
        )

    def _judged(
        self, mention: Mention, batch: Batch, image: int, activation: Float64[np.ndarray, "units h w"]
    ) -> JudgedMention:
        """A mention, held against what the network sees of an image."""
        is_labelled = category_of(mention.concept) in batch.annotated[image].categories
        truth = batch.truths[image].get(mention.concept)
        return JudgedMention(
            role=mention.role,
            concept=mention.concept,
            units=mention.units,
            said=mention.said,
            is_there=truth is not None if is_labelled and mention.concept in self.vocabulary else None,
            on_concept=self._lit_share(mention, activation, truth) if truth and mention.role == "responds" else None,
        )

    def _lit_share(self, mention: Mention, activation: Float64[np.ndarray, "units h w"], truth: Truth) -> float | None:
        """Which share of the lit area of a mention's units lies on its concept; ``None`` if no pixel is lit."""
        units = list(mention.units)
        masks = upsample(activation[units], *truth.region.shape) > self._layer.thresholds[units, None, None]
        lit = np.logical_or.reduce(list(masks))
        return float((lit & truth.region).sum() / lit.sum()) if lit.any() else None


def _shuffled_mentions(batch: Batch, sentences: Sentences) -> list[Said | None]:
    """Role and concept of what is said of each image where the head is shuffled; ``None`` if it has no weights."""
    said: list[Said | None] = [None] * len(sentences.images)
    if sentences.shuffled is None:
        return said
    targets = [explanation.target.index for explanation in sentences.explanations]
    for target in sorted(set(targets)):
        numbers = [number for number, index in enumerate(targets) if index == target]
        annotated = [batch.annotated[sentences.images[number]] for number in numbers]
        photographs = [(image.name, image.photograph) for image in annotated]
        explained = sentences.shuffled.explain(photographs, target=target, batch_size=len(batch))
        for number, explanation in zip(numbers, explained, strict=True):
            said[number] = tuple((mention.role, mention.concept) for mention in mentions_of(explanation))
    return said
