"""Explains why a captioner says each of its words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from math import exp, log1p
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch.nn.functional import logsigmoid

from db.arguments import reading
from dissection.errors import ClassNotFoundError
from dissection.networks.forward import forward
from neuronexplain.arguments import as_many, named_picture, named_pictures
from neuronexplain.bodies import run_of
from neuronexplain.caption import Debt, SaidWord
from neuronexplain.explainer import Explainer
from neuronexplain.explanation import ExplainedCaption
from neuronexplain.methods.gradcam import alphas, enlarge, heatmap
from neuronexplain.vocabulary import DEFAULT_RULES, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jaxtyping import Float, Float64
    from torch import Tensor

    from db import NameStore
    from db.arguments import StoreLike
    from db.records import Run, RunLike
    from dissection.networks.forward import Pass
    from dissection.networks.language import Rival
    from dissection.networks.network import Network
    from neuronexplain.arguments import ImageLike, NamedImage
    from neuronexplain.explanation import Explanation
    from neuronexplain.vocabulary import Rules

_OTHERS = 32
"""Other pictures with which words are compared."""
_AT_ONCE = 16
_ROUNDING = 1e-6
_NO_PLACE = -1
"""In place of the index of what is not in the caption."""


def explain_caption(  # noqa: PLR0913 -- the arguments of explain, and a caption's
    image: ImageLike,
    network: Network,
    store: StoreLike,
    *,
    caption: str | None = None,
    words: Iterable[str] | None = None,
    others: Iterable[ImageLike] | None = None,
    run: RunLike | None = None,
    rules: Rules = DEFAULT_RULES,
    methods: str | Iterable[str] = (),
) -> ExplainedCaption:
    """Say why a captioner says each word of its caption of a photograph, or of a caption that is given.

    :meth:`CaptionExplainer.from_store` explains many photographs, and opens the store only once.

    Args:
        image: a photograph, as :func:`explain` takes it.
        network: a captioner, see :meth:`Network.of_captions`.
        store: the store that holds the names of its units, or the path or URL of its database.
        caption: the caption; by default the one that the network writes.
        words: the words to explain; by default those that owe something to the picture.
        others: other pictures, which tell what a word owes to this one; by default some that the run keeps.
        run: the run, or its number; by default the network's newest.
        rules: which units are ranked, and what may be said of them.
        methods: names of other methods to explain the words with.

    Raises:
        ClassNotFoundError: if one of the words is not in the caption.
        NetworkError: if the network writes no captions, or does not know a word.
        RunNotFoundError: if the store has no names for a network with this body.
        PhotographError: if a file is not a photograph.
        TypeError: if an argument is of no kind that can be taken.
    """
    explainer = CaptionExplainer.from_store(network, store, others=others, run=run, rules=rules, methods=methods)
    return explainer.explain(image, caption=caption, words=words)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A caption that a network has read beside a photograph.

    Attributes:
        name: the photograph's name.
        photograph: the photograph.
        images: it alone, preprocessed.
        caption: the caption, as it was written.
        judge: an explainer whose classes are the words.
        seen: the judge's pass over the photograph.
        words: the words, none of them explained.
    """

    name: str
    photograph: Image.Image
    images: Float[Tensor, "1 channels H W"]
    caption: str
    judge: Explainer
    seen: Pass
    words: tuple[SaidWord, ...]

    @property
    def owing(self) -> list[SaidWord]:
        """The words that owe something to the picture, or of which that cannot be told."""
        return [word for word in self.words if word.debt is None or word.debt.is_owed]


@dataclass(frozen=True, slots=True, eq=False)
class CaptionExplainer:
    """Explains captions of photographs.

    Attributes:
        explainer: knows the network and the names of its units.
        others: other pictures, preprocessed.
    """

    explainer: Explainer
    others: Float[Tensor, "pictures channels H W"]

    @classmethod
    def from_store(
        cls,
        network: Network,
        store: StoreLike,
        *,
        others: Iterable[ImageLike] | None = None,
        run: RunLike | None = None,
        rules: Rules = DEFAULT_RULES,
        methods: str | Iterable[str] = (),
    ) -> CaptionExplainer:
        """An explainer with the names of a stored run; arguments and errors are those of :func:`explain_caption`."""
        with reading(store) as names:
            chosen = run_of(network, names) if run is None else names.run(run)
            explainer = Explainer.from_store(network, names, run=chosen, rules=rules, methods=methods)
            return cls.of(explainer, names, chosen, others=others)

    @classmethod
    def of(
        cls, explainer: Explainer, store: NameStore, run: Run, *, others: Iterable[ImageLike] | None = None
    ) -> CaptionExplainer:
        """An explainer of captions that says what an explainer of classes would."""
        if others is None:
            images = sorted({exemplar.index for unit in explainer.units for exemplar in unit.exemplars})
            kept = store.pictures(run, images[:: max(len(images) // _OTHERS, 1)][:_OTHERS])
            others = [Image.open(BytesIO(jpeg), formats=["JPEG"]) for jpeg in kept.values()]
        pictures = [picture for _, picture in named_pictures(as_many(list(others)))]
        return cls(explainer, _preprocessed(explainer.network, pictures))

    def require(self, *, caption: str | None = None, words: Iterable[str] | None = None) -> None:
        """Check what can be checked before there is a photograph; arguments are those of :func:`explain_caption`.

        Raises:
            ClassNotFoundError: if one of the words is not in the caption that is given.
            NetworkError: if the network writes no captions, or cannot read the one that is given.
        """
        language = self.explainer.network.require_captions()
        if caption is not None:
            texts, _ = language.tokens(caption)
            _require_said(texts, words or ())

    def explain_all(
        self,
        photographs: ImageLike | Iterable[ImageLike | NamedImage],
        *,
        caption: str | None = None,
        words: Iterable[str] | None = None,
    ) -> Iterator[ExplainedCaption]:
        """Explain captions of photographs, in order; arguments and errors are those of :func:`explain_caption`."""
        chosen = words if words is None or isinstance(words, str) else list(words)
        for name, photograph in named_pictures(as_many(photographs)):
            yield self._explain(name, photograph, caption, chosen)

    def explain(
        self, image: ImageLike, *, caption: str | None = None, words: Iterable[str] | None = None
    ) -> ExplainedCaption:
        """Explain a caption of a photograph; arguments and errors are those of :func:`explain_caption`."""
        return self._explain(*named_picture(image), caption, words)

    def read(self, name: str, photograph: Image.Image, caption: str | None = None) -> Reading:
        """Find out how likely the words of a caption are, and what they owe to a photograph, before any is explained.

        Errors are those of :func:`explain_caption`.
        """
        network = self.explainer.network
        images = _preprocessed(network, [photograph])
        if caption is None:
            (caption,) = network.captions(images)
        judge = network.saying(caption)
        seen = forward(judge, images)
        logs: list[float] = _log_probabilities(seen)[0].tolist()
        beside = torch.cat([torch.empty(0, len(logs)), *map(_log_probabilities, self._seen_of_others(judge))])
        debts = [Debt.to(own, others) for own, others in zip(logs, beside.T.tolist(), strict=True)]
        words = [
            SaidWord(word, place, log, debt, None)
            for place, (word, log, debt) in enumerate(zip(judge.classes, logs, debts, strict=True))
        ]
        return Reading(name, photograph, images, caption, replace(self.explainer, network=judge), seen, tuple(words))

    def explain_words(self, reading: Reading, words: Sequence[SaidWord]) -> Iterator[Explanation]:
        """Explain some words of a caption that was read, in order."""
        (rivals,) = self.explainer.network.rivals(reading.images, reading.caption)
        explanations = reading.judge.explain_each((reading.name, reading.photograph), [word.place for word in words])
        for word, explanation in zip(words, explanations, strict=True):
            yield _said(explanation, rivals[word.place])

    def _explain(
        self, name: str, photograph: Image.Image, caption: str | None, words: Iterable[str] | None
    ) -> ExplainedCaption:
        reading = self.read(name, photograph, caption)
        chosen = reading.owing if words is None else _chosen(reading.words, words)
        explained = zip(chosen, self.explain_words(reading, chosen), strict=True)
        by_place = {word.place: replace(word, explanation=explanation) for word, explanation in explained}
        return ExplainedCaption(
            name,
            tuple(by_place.get(word.place, word) for word in reading.words),
            self.explainer.network.preprocessing.view(photograph),
            _heatmap(reading.judge.network, reading.seen).float().cpu().numpy(),
        )

    def _seen_of_others(self, judge: Network) -> Iterator[Pass]:
        return (forward(judge, self.others[start : start + _AT_ONCE]) for start in range(0, len(self.others), _AT_ONCE))


def _said(explanation: Explanation, rival: Rival) -> Explanation:
    """The explanation of a word beside what is likeliest in its place, not beside other words of the caption."""
    target, probability = explanation.target, exp(rival.log_probability)
    if target.probability >= probability - _ROUNDING:
        return replace(explanation, prediction=target, classes=(target,))
    log_odds = rival.log_probability - log1p(-min(probability, 1 - _ROUNDING))
    likeliest = Score(rival.text, _NO_PLACE, probability, log_odds)
    return replace(explanation, prediction=likeliest, classes=(likeliest, target))


def _preprocessed(network: Network, pictures: Sequence[Image.Image]) -> Float[Tensor, "pictures channels H W"]:
    preprocessing = network.preprocessing
    frames = [preprocessing.tensor(preprocessing.frame(picture)) for picture in pictures]
    return torch.stack(frames) if frames else torch.empty(0, preprocessing.channels, *preprocessing.size)


def _log_probabilities(seen: Pass) -> Float64[Tensor, "images words"]:
    return logsigmoid(seen.scores.detach().double()).cpu()


def _chosen(said: Sequence[SaidWord], words: Iterable[str]) -> list[SaidWord]:
    """The words of a caption that are asked for, in any case."""
    chosen = [words] if isinstance(words, str) else list(words)
    _require_said([word.text for word in said], chosen)
    folded = set(map(str.casefold, chosen))
    return [word for word in said if word.text.casefold() in folded]


def _require_said(said: Sequence[str], words: Iterable[str]) -> None:
    folded = set(map(str.casefold, said))
    if unsaid := [word for word in words if word.casefold() not in folded]:
        raise ClassNotFoundError(f"the caption “{' '.join(said)}” has no word {unsaid[0]!r}; name one of its words")


def _heatmap(judge: Network, seen: Pass) -> Float[Tensor, "H W"]:
    """The heat map of the whole caption of the only image."""
    weights = alphas(logsigmoid(seen.scores).sum(1), seen.activation)
    return enlarge(heatmap(weights, seen.activation.detach()), judge.preprocessing.size)[0]
