"""Whose sentences are measured: those about a network's predictions or answers, or about words of its captions.

Of a caption one word is explained, drawn among those that owe something to the picture: so that a sentence stands for
an image, as it does where a class is explained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dissection.errors import CaptionError
from dissection.networks.reruns import Reruns

from .shuffled_head import with_shuffled_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dissection.networks.network import Network
    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.explainer import Explainer
    from neuronexplain.explanation import Explanation
    from neuronexplain.language.captions import CaptionExplainer, Reading

_DRAW = 1
"""Tells the draw of an image's word from other draws with its seed."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """The sentences of some images of a batch, which are about the scores of one network.

    Attributes:
        images: which images of the batch.
        explanations: what is said of each.
        reruns: runs the network's head again.
        shuffled: explains the same scores where the head is shuffled; ``None`` if it has no weights.
    """

    images: Sequence[int]
    explanations: Sequence[Explanation]
    reruns: Reruns
    shuffled: Explainer | None


class Speaker(Protocol):
    """Says sentences about images."""

    @property
    def explainer(self) -> Explainer:
        """Knows the units and their names."""
        ...

    @property
    def explained(self) -> str:
        """What of images the sentences explain, in words."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the sentences depend on besides the network and the rules, as JSON values."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """The labels that say what an image is; none if the network says something else of images."""
        ...

    def speak(self, batch: Batch) -> Iterator[Sentences]:
        """The sentences of a batch's images, at most one of each."""
        ...

    def identity(self, explanation: Explanation) -> int | str:
        """Identifies among all images what a sentence explains."""
        ...


@dataclass(frozen=True, eq=False)
class OfPredictions:
    """Explains what a network predicts of each image, or answers.

    Attributes:
        explainer: explains images.
        seed: of the shuffled head.
    """

    explainer: Explainer
    seed: int = 0

    @property
    def explained(self) -> str:
        """The class, or the answer."""
        return f"the {'answer' if self._question else 'class'} that the network predicts for them"

    @property
    def settings(self) -> Mapping[str, Any]:
        """The question, if one is asked."""
        return {"question": self._question} if self._question else {}

    @property
    def classes(self) -> Sequence[str]:
        """The classes; answers do not say what an image is."""
        return () if self._question else self.explainer.network.classes

    def speak(self, batch: Batch) -> Iterator[Sentences]:
        """The sentences of all images, which are of one network."""
        images = range(len(batch))
        photographs = [(annotated.name, annotated.photograph) for annotated in batch.annotated]
        explanations = list(self.explainer.explain(photographs, batch_size=len(batch)))
        yield Sentences(images, explanations, self._reruns, self._shuffled)

    def identity(self, explanation: Explanation) -> int:
        """The class's index."""
        return explanation.target.index

    @property
    def _question(self) -> str:
        return self.explainer.network.prompt

    @cached_property
    def _reruns(self) -> Reruns:
        return Reruns(self.explainer.network)

    @cached_property
    def _shuffled(self) -> Explainer | None:
        network = with_shuffled_head(self.explainer.network, seed=self.seed)
        return replace(self.explainer, network=network) if network else None


@dataclass(frozen=True, eq=False)
class OfCaptions:
    """Explains one word of the caption that a network writes of each image.

    An image has no sentence if no word of its caption owes anything to it, or the caption cannot be read word by word.

    Attributes:
        captions: explains captions.
        seed: of the drawn words, and of the shuffled head.
    """

    captions: CaptionExplainer
    seed: int = 0

    @property
    def explained(self) -> str:
        """The word, which is what a reader guesses."""
        return "the word that is explained, which is to be guessed"

    @property
    def explainer(self) -> Explainer:
        """Knows the units and their names."""
        return self.captions.explainer

    @property
    def settings(self) -> Mapping[str, Any]:
        """That a word is drawn."""
        return {"words": "one of each caption"}

    @property
    def classes(self) -> Sequence[str]:
        """None: words do not say what an image is."""
        return ()

    def speak(self, batch: Batch) -> Iterator[Sentences]:
        """The sentence of each image that has one; each caption has a network of its own, which judges it."""
        for image, annotated in enumerate(batch.annotated):
            try:
                reading = self.captions.read(annotated.name, annotated.photograph)
            except CaptionError:
                continue
            if owing := reading.owing:
                generator = np.random.default_rng((_DRAW, self.seed, batch.start + image))
                word = owing[int(generator.integers(len(owing)))]
                explanations = list(self.captions.explain_words(reading, [word]))
                yield Sentences([image], explanations, Reruns(reading.judge.network), self._shuffled_judge(reading))

    def identity(self, explanation: Explanation) -> str:
        """The word, in any case."""
        return explanation.target.label.casefold()

    @cached_property
    def _shuffled(self) -> Network | None:
        return with_shuffled_head(self.explainer.network, seed=self.seed)

    def _shuffled_judge(self, reading: Reading) -> Explainer | None:
        return replace(self.explainer, network=self._shuffled.saying(reading.caption)) if self._shuffled else None
