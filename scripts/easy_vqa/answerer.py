"""The answerer of Lu et al. 2015 ("deeper LSTM and normalised CNN", Sec. 8.2 and App. C), small enough for easy-VQA.

``answerer.py:answerer`` opens it with the weights that ``run.py train`` writes beside this file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from dissection.errors import NetworkError, WeightsError
from dissection.files.atomic import replace_file
from dissection.networks.language import Vocabulary
from neuronexplain import Network, Preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int64

WEIGHTS = Path(__file__).with_name("answerer.safetensors")

PREPROCESSING = Preprocessing(size=64, resize=64, mean=(0.9, 0.9, 0.9), std=(0.25, 0.25, 0.25))
"""Nearly white, the colour of the backgrounds, becomes 0."""

LAYER = "sees.12"
"""The last rectified map: 64 units of 16 x 16 cells."""

_UNITS, _COMMON, _HEARD = 64, 256, 64


class Answerer(nn.Module):
    """The picture's vector and the question's, multiplied point by point, and a perceptron that answers.

    The picture's is what each unit of the last map sees at most, l2-normalised (to the root of its length, so that its
    values are near 1), and a fully connected layer. The question's is the state of both layers of an LSTM after its
    last word, hidden and cell, and a fully connected layer.

    Args:
        words: the words of questions.
        answers: the answers.
    """

    def __init__(self, words: Sequence[str], answers: Sequence[str]) -> None:
        super().__init__()
        self.words, self.answers = tuple(words), tuple(answers)
        self.sees = nn.Sequential(
            *_seeing(3, 16, size=5, stride=2),
            *_seeing(16, 32),
            nn.MaxPool2d(2),
            *_seeing(32, _UNITS),
            *_seeing(_UNITS, _UNITS),
        )
        self.embeds = nn.Embedding(1 + len(words), 32, padding_idx=0)
        self.hears = nn.LSTM(32, _HEARD, num_layers=2, batch_first=True)
        self.picture = nn.Linear(_UNITS, _COMMON)
        self.question = nn.Linear(4 * _HEARD, _COMMON)
        self.says = nn.Sequential(nn.Linear(_COMMON, _COMMON), nn.ReLU(), nn.Linear(_COMMON, len(answers)))

    def forward(
        self, images: Float[Tensor, "images 3 64 64"], questions: Int64[Tensor, "images words"]
    ) -> Float[Tensor, "images answers"]:
        """Scores of the answers to a question about each image; the words are numbered from 1, and 0 ends them."""
        return self.scores(self.seen(self.sees(images)), self.heard(questions))

    def seen(self, maps: Float[Tensor, "images units h w"]) -> Float[Tensor, "images common"]:
        """The vectors of pictures, of whose last maps they are made."""
        strongest = maps.amax((2, 3))
        return self.picture(F.normalize(strongest) * _UNITS**0.5).tanh()

    def heard(self, questions: Int64[Tensor, "questions words"]) -> Float[Tensor, "questions common"]:
        """The vectors of questions."""
        lengths = (questions > 0).sum(1).cpu()
        packed = pack_padded_sequence(self.embeds(questions), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, cell) = self.hears(packed)
        return self.question(torch.cat([*hidden, *cell], 1)).tanh()

    def scores(
        self, seen: Float[Tensor, "pairs common"], heard: Float[Tensor, "pairs common"]
    ) -> Float[Tensor, "pairs answers"]:
        """Scores of the answers, given the vectors of pictures and of the questions about them."""
        scores: Tensor = self.says(seen * heard)
        return scores

    def encode(self, question: str) -> Int64[Tensor, "1 words"]:
        """The numbers of a question's words.

        Raises:
            NetworkError: if it has none, or it has one that is unknown.
        """
        words = " ".join(re.findall(r"\w+", question))
        if not words:
            raise NetworkError(f"the question {question!r} has no words")
        return 1 + torch.tensor([Vocabulary(self.words).encode(words)])

    def save(self, path: Path) -> None:
        """Write weights, words and answers into a safetensors file; it appears whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        language = {"words": json.dumps(self.words), "answers": json.dumps(self.answers)}
        replace_file(path, save({name: values.contiguous() for name, values in self.state_dict().items()}, language))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The answerer in such a file, in eval mode.

        Raises:
            WeightsError: if there is no such file.
        """
        training = Path(__file__).with_name("run.py")
        if not path.is_file():
            raise WeightsError(f"no weights at {path}; train them with {training} train")
        try:
            with safe_open(path, "pt") as file:
                language = file.metadata()
                loaded = cls(json.loads(language["words"]), json.loads(language["answers"]))
                loaded.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 -- no mapping
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = f"{path} does not hold the weights of an answerer; train them with {training} train"
            raise WeightsError(reason) from error
        return loaded.eval()


def _seeing(channels: int, units: int, *, size: int = 3, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, units, size, stride, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(units), nn.ReLU()


def as_network(answerer: Answerer) -> Network:
    """The answerer, ready to be asked."""
    return Network.of_answers(
        answerer,
        layer=LAYER,
        encode=answerer.encode,
        answers=answerer.answers,
        question="what color is the shape?",
        preprocessing=PREPROCESSING,
        name="easy-vqa",
    )


def answerer() -> Network:
    """The trained answerer.

    Raises:
        WeightsError: if it has not been trained.
    """
    return as_network(Answerer.load(WEIGHTS))
