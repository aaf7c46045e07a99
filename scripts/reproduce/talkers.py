"""The captioners and answerers that Section 8 is repeated with: the shipped ones, and others trained here.

Those on a residual trunk are trained once, and kept beside the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from residual import STAGES, Hierarchical, pooling_sight, residual_features, train_hierarchical
from safetensors.torch import load_file, save
from torch import nn

from dissection.files.atomic import replace_file
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.sources.spec import ANSWERER, CAPTIONER
from dissection.scenes.classifier import INPUT_SIZE, MEAN, STD
from dissection.scenes.described.language import ANSWERS, known_questions
from dissection.scenes.described.lessons import draw_lessons
from dissection.scenes.described.networks import LAYER, WORDS, Captioner, captioner, encode, generate, log_probabilities
from dissection.scenes.described.training import (
    ANSWER,
    FeatureTraining,
    train_captioner,
    train_features,
    train_sight,
)
from dissection.scenes.words import PARTS_OF, number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dissection.scenes.described.lessons import Lessons
    from dissection.scenes.described.networks import Sight

Module = TypeVar("Module", bound=nn.Module)

SEEING, SPEAKING = 4000, 5000
"""Seeds of the scenes that are learnt from, as those of ``scripts/train_described.py``."""

PREPROCESSING = Preprocessing((INPUT_SIZE, INPUT_SIZE), (INPUT_SIZE, INPUT_SIZE), MEAN, STD)
CONCEPTS = [number("object", name) for name in PARTS_OF]


@dataclass(frozen=True)
class Talkers:
    """Networks that write or answer.

    Attributes:
        folder: where trained weights are kept.
        scenes: how many scenes sight learns from, and as many for speech.
        epochs: how often sight sees each.
        progress: called with a line about each epoch.
    """

    folder: Path
    scenes: int
    epochs: int
    progress: Callable[[str], None]

    def captioners(self) -> dict[str, Network]:
        """By their names for people: NeuralTalk2's plan, the same that ignores pictures, and Show and Tell's."""
        return {
            "NeuralTalk2's plan": open_network(CAPTIONER),
            "NeuralTalk2's plan, learnt from shuffled pictures": _captioner(self._ignoring, LAYER),
            "Show and Tell's plan, residual trunk": _captioner(self._show_and_tell, STAGES[-1]),
        }

    def answerers(self) -> dict[str, Network]:
        """By their names for people: the deeper LSTM, and co-attention at each stage of a residual trunk."""
        attending = self._hierarchical
        staged = {
            f"Co-attention, residual trunk, stage {stage}": _answerer(attending, layer)
            for stage, layer in enumerate(STAGES, 1)
        }
        return {"Deeper LSTM, normalised image": open_network(ANSWERER), **staged}

    @cached_property
    def _spoken(self) -> Lessons:
        return self._drawn(SPEAKING)

    @cached_property
    def _residual(self) -> Sight:
        def trained() -> Sight:
            how = FeatureTraining(epochs=self.epochs)
            seeing = self._drawn(SEEING)
            features = train_features(seeing, how, make=residual_features, progress=self.progress)
            return train_sight(features, self._spoken, make=pooling_sight, progress=self.progress)

        return self._kept("residual", pooling_sight(residual_features()), trained)

    @cached_property
    def _ignoring(self) -> Captioner:
        sight = captioner().sees

        def trained() -> Captioner:
            return train_captioner(sight, self._spoken, shuffled=True, progress=self.progress)

        return self._kept("ignoring", Captioner(sight), trained)

    @cached_property
    def _show_and_tell(self) -> Captioner:
        def trained() -> Captioner:
            return train_captioner(self._residual, self._spoken, progress=self.progress)

        return self._kept("show-and-tell", Captioner(pooling_sight(residual_features())), trained)

    @cached_property
    def _hierarchical(self) -> Hierarchical:
        def trained() -> Hierarchical:
            return train_hierarchical(self._residual, self._spoken, ANSWER, progress=self.progress)

        return self._kept("co-attention", Hierarchical(pooling_sight(residual_features())), trained)

    def _drawn(self, seed: int) -> Lessons:
        return draw_lessons(seed, CONCEPTS, scenes=self.scenes)

    def _kept(self, name: str, untrained: Module, train: Callable[[], Module]) -> Module:
        """What was trained before with the same settings, or else is trained now and kept."""
        path = self.folder / f"{name}-{self.scenes}-{self.epochs}.safetensors"
        if path.exists():
            untrained.load_state_dict(load_file(path))
            return untrained.eval()
        module = train()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, save({key: value.contiguous() for key, value in module.state_dict().items()}))
        return module


def _captioner(module: Captioner, layer: str) -> Network:
    return Network.of_captions(
        module,
        layer=layer,
        generate=generate,
        log_probabilities=log_probabilities,
        tokenizer=WORDS,
        preprocessing=PREPROCESSING,
        name="captioner",
    )


def _answerer(module: Hierarchical, layer: str) -> Network:
    return Network.of_answers(
        module,
        layer=layer,
        encode=encode,
        answers=ANSWERS,
        question=known_questions()[0],
        preprocessing=PREPROCESSING,
        name="answerer",
    )
