"""Section 8: captions and answers, on described scenes and on photographs of COCO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cases import DATA, SEED, open_squeezenet
from photographs import FOLDS, Fold, Photographs, captioner, flickr
from report import Measured
from talkers import Talkers

from neuronexplain.evaluation import protocols
from neuronexplain.evaluation.ground_truth.language.opening import open_asked, open_captioned
from neuronexplain.evaluation.record_journal import read_records
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.language.opening import Captioned
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.methods import Method

THREE = [METHODS[name] for name in ("grad-cam", "guided-backprop", "guided-grad-cam")]

NO_GAZES = (
    "rank correlation with where people look (Sec. 8.2: 0.136 over 1,374 questions): the maps of Das et al. are not "
    "part of any data at hand; with them, neuronexplain evaluate answers attention measures it"
)


@dataclass(frozen=True)
class SpeechSize:
    """How much of Section 8 is measured.

    Attributes:
        scenes: described scenes that are measured, and how many if each costs hundreds of passes.
        learnt: described scenes that the other plans learn from.
        epochs: how often their sight sees each.
        photographs: whether photographs are captioned, too.
    """

    scenes: tuple[int, int] = (240, 60)
    learnt: int = 3000
    epochs: int = 10
    photographs: bool = True


SMALL_SPEECH = SpeechSize(scenes=(24, 4), learnt=240, epochs=1, photographs=False)


@dataclass(frozen=True)
class Speech:
    """Measures Section 8.

    Attributes:
        out: the folder for all output.
        size: how much is measured.
        execution: batch size and progress.
        progress: called with a line about each epoch of training.
        skipped: called with what is left out, and why.
    """

    out: Path
    size: SpeechSize
    execution: Execution
    progress: Callable[[str], None]
    skipped: Callable[[str], None]

    def tables(self) -> Iterator[Measured]:
        """Every table, as soon as it is there."""
        talkers = Talkers(self.out / "talkers", self.size.learnt, self.size.epochs, self.progress)
        many, few = self.size.scenes
        captioned = open_captioned(None, kind="described", limit=many, seed=SEED)
        for title, network in talkers.captioners().items():
            yield from self._captions(title, network, captioned)
        asked, fewer = (open_asked(None, kind="described", limit=limit, seed=SEED) for limit in (many, few))
        for title, network in talkers.answerers().items():
            yield from self._answers(title, network, asked, fewer)
        self.skipped(NO_GAZES)
        if not self.size.photographs:
            return
        if (DATA / "flickr-captions").is_dir() and (DATA / "coco-captions").is_dir():
            yield from self._photographs()
        else:
            self.skipped(f"captions of photographs: there is no {DATA / 'flickr-captions'}")

    def _captions(self, title: str, network: Network, captioned: Captioned) -> Iterator[Measured]:
        words, ground = captioned.words, captioned.ground
        measured: list[tuple[Protocol, Sequence[Method]]] = [
            (protocols.CaptionAccuracy(words), []),
            (protocols.CaptionDebts(words), []),
            (protocols.CaptionPointing(words), THREE),
            (protocols.CaptionRatio(words), THREE),
        ]
        for protocol, methods in measured:
            yield self._measured(title, network, protocol, methods, ground)

    def _answers(self, title: str, network: Network, asked: Ground, fewer: Ground) -> Iterator[Measured]:
        yield self._measured(title, network, protocols.AnswerAccuracy(), [], asked)
        yield self._measured(title, network, protocols.AnswerPointing(), THREE, asked)
        yield self._measured(title, network, protocols.AnswerOcclusion(), THREE, fewer)

    def _photographs(self) -> Iterator[Measured]:
        classifier = open_squeezenet(DATA)
        coco = open_captioned(DATA / "coco-captions", kind="coco", split="train2017")
        annotated = [coco.ground.annotated(index) for index in range(len(coco.ground))]
        known = Photographs.seen(classifier, flickr(DATA / "flickr-captions"))
        unknown = Photographs.seen(classifier, [(image.photograph, image.captions) for image in annotated])
        folds = [range(first, len(annotated), FOLDS) for first in range(FOLDS)]
        for title, shuffled in {
            "NeuralTalk2's plan, SqueezeNet (ImageNet)": False,
            "NeuralTalk2's plan, SqueezeNet (ImageNet), learnt from shuffled pictures": True,
        }.items():
            networks = {
                number: captioner(classifier, known + unknown.without(fold), shuffled=shuffled, progress=self.progress)
                for number, fold in enumerate(folds)
            }
            grounds = {number: Fold(coco.ground, fold) for number, fold in enumerate(folds)}
            for protocol, methods in (
                (protocols.CaptionPointing(coco.words, "reference"), THREE[:1]),
                (protocols.CaptionDebts(coco.words), []),
            ):
                yield self._pooled(title, networks, protocol, methods, grounds)

    def _pooled(
        self,
        title: str,
        networks: Mapping[int, Network],
        protocol: Protocol,
        methods: Sequence[Method],
        grounds: Mapping[int, Ground],
    ) -> Measured:
        """One table of all folds, each measured on a network of its own."""
        records = []
        for number, network in networks.items():
            folder = self.out / "speech" / _name(title) / f"fold-{number}"
            evaluate(protocol, network, methods, grounds[number], folder, execution=self.execution)
            records += read_records(folder / f"{protocol.name}.jsonl")
        ground = grounds[0]
        return Measured(protocol.name, title, ground.name, protocol.report(records, ground.objects, methods))

    def _measured(
        self, title: str, network: Network, protocol: Protocol, methods: Sequence[Method], ground: Ground
    ) -> Measured:
        folder = self.out / "speech" / _name(title)
        report = evaluate(protocol, network, methods, ground, folder, execution=self.execution)
        return Measured(protocol.name, title, ground.name, report)


def _name(title: str) -> str:
    """A folder's name."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in title.casefold()).split())
