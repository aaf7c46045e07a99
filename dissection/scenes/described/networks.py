"""Small networks that say what is in described scenes: one writes captions, one answers questions.

Both see with the same weights, so that names of units hold for both. The captioner is on NeuralTalk2's plan: the image
comes first, as if it were a word, into an LSTM (Selvaraju et al. 2019, Sec. 8.1). The answerer is on that of Lu et al.
2015: a deeper LSTM reads the question, and its vector is multiplied by that of the normalised image (Sec. 8.2).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from dissection.errors import NetworkError
from dissection.scenes.classifier import LAYER as _LAYER_OF_CONVOLUTIONS
from dissection.scenes.classifier import convolutions

from .language import ANSWERS, QUESTION_WORDS, WORD_KINDS, spoken_words

if TYPE_CHECKING:
    from jaxtyping import Float, Int64

__all__ = ["LAYER", "WEIGHTS", "WORDS", "Answerer", "Captioner", "Sight", "answerer", "captioner", "encode", "sight"]

END = "."
WORDS = (END, *WORD_KINDS)
"""What the captioner can say; a full stop ends a caption."""

_END = 0

LAYER = f"sees.{_LAYER_OF_CONVOLUTIONS}"
"""The last rectified map of either network, 96 x 14 x 14."""

WEIGHTS = {name: Path(__file__).parent / f"{name}.safetensors" for name in ("captioner", "answerer")}
"""The trained weights, in half precision, made by ``scripts/train_described.py``."""

VECTOR = 128
_HIDDEN = 128
_UNITS = 96
_FIRST_WEIGHTS = 0.1
_MOST_WORDS = 16
_PADDING = 0


class Sight(nn.Module):
    """Makes a vector of an image.

    The vector is standardised by its mean and deviation over pictures: without that, what differs between pictures is
    little beside what they have in common, and a network that reads it hardly looks.

    Args:
        features: layers that make a map, 14 x 14, and a layer that pools it.
        describe: makes ``VECTOR`` numbers of the pooled map.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: nn.Sequential, describe: nn.Module) -> None:
        super().__init__()
        self.features, self.describe = features, describe
        self.register_buffer("mean", torch.zeros(VECTOR))
        self.register_buffer("deviation", torch.ones(VECTOR))

    def forward(self, images: Float[Tensor, "images 3 112 112"]) -> Float[Tensor, "images vector"]:
        """The vector, less its mean over pictures, over its deviation."""
        vectors: Tensor = self.describe(self.features(images))
        return (vectors - self.mean) / self.deviation


def sight(features: nn.Sequential) -> Sight:
    """The untrained sight of both networks: a connected layer over the pooled map of features.

    Its first weights are small: a unit that never responds at some place keeps them there, and should not count.
    """
    connected = nn.Linear(_UNITS * 7 * 7, VECTOR)
    with torch.no_grad():
        connected.weight.mul_(_FIRST_WEIGHTS)
    return Sight(features, nn.Sequential(nn.Flatten(), connected, nn.ReLU()))


class Captioner(nn.Module):
    """Writes a caption word by word.

    Args:
        sees: makes a vector of an image.
        vector: how many numbers.
        vocabulary: how many words there are; the first one ends a caption.
    """

    def __init__(self, sees: nn.Module, *, vector: int = VECTOR, vocabulary: int = len(WORDS)) -> None:
        super().__init__()
        self.sees = sees
        self.image = nn.Linear(vector, _HIDDEN)
        self.begin = vocabulary
        self.words = nn.Embedding(vocabulary + 1, _HIDDEN)
        self.speaks = nn.LSTM(_HIDDEN, _HIDDEN, batch_first=True)
        self.next = nn.Linear(_HIDDEN, vocabulary)

    def forward(
        self, images: Float[Tensor, "images 3 h w"], tokens: Int64[Tensor, "#images tokens"]
    ) -> Float[Tensor, "images tokens+1 words"]:
        """Logits of every word in the place of each token, given those before it, and in the place after them."""
        return self.following(self.sees(images), tokens)

    def following(
        self, vectors: Float[Tensor, "images vector"], tokens: Int64[Tensor, "#images tokens"]
    ) -> Float[Tensor, "images tokens+1 words"]:
        """As :meth:`forward`, of images that were seen before."""
        begun = F.pad(tokens, (1, 0), value=self.begin).expand(len(vectors), -1)
        states, _ = self.speaks(torch.cat([self.image(vectors)[:, None], self.words(begun)], 1))
        logits: Tensor = self.next(states[:, 1:])
        return logits


def log_probabilities(
    module: Captioner, images: Float[Tensor, "images 3 h w"], tokens: Int64[Tensor, " tokens"]
) -> Float[Tensor, "images tokens words"]:
    """How likely each word is in the place of each token, given those before it."""
    logits: Tensor = module(images, tokens[None])
    return logits[:, :-1].log_softmax(-1)


def generate(module: Captioner, images: Float[Tensor, "images 3 h w"]) -> list[list[int]]:
    """The caption of each image: the likeliest word, given those before it, until that is the end."""
    vectors = module.sees(images)
    tokens = torch.empty(len(vectors), 0, dtype=torch.long, device=vectors.device)
    for _ in range(_MOST_WORDS):
        tokens = torch.cat([tokens, module.following(vectors, tokens)[:, -1:].argmax(-1)], 1)
    return [(said[: said.index(_END)] if _END in said else said) for said in tokens.tolist()]


class Answerer(nn.Module):
    """Answers a question about an image."""

    def __init__(self, sees: Sight) -> None:
        super().__init__()
        self.sees = sees
        self.words = nn.Embedding(len(QUESTION_WORDS) + 1, _HIDDEN, padding_idx=_PADDING)
        self.reads = nn.LSTM(_HIDDEN, _HIDDEN, num_layers=2, batch_first=True)
        self.image = nn.Linear(VECTOR, VECTOR)
        self.question = nn.Linear(4 * _HIDDEN, VECTOR)
        self.answers = nn.Sequential(nn.Linear(VECTOR, VECTOR), nn.Tanh(), nn.Linear(VECTOR, len(ANSWERS)))

    def forward(
        self, images: Float[Tensor, "images 3 112 112"], questions: Int64[Tensor, "images words"]
    ) -> Float[Tensor, "images answers"]:
        """Scores of the answers; questions are those that :func:`encode` makes."""
        return self.answering(self.sees(images), questions)

    def answering(
        self, vectors: Float[Tensor, "images vector"], questions: Int64[Tensor, "images words"]
    ) -> Float[Tensor, "images answers"]:
        """As :meth:`forward`, of images that were seen before."""
        _, (hidden, cells) = self.reads(self.words(questions))
        read = torch.cat([*hidden, *cells], 1).tanh()
        seen = self.image(F.normalize(vectors) * VECTOR**0.5).tanh()
        scores: Tensor = self.answers(seen * self.question(read).tanh())
        return scores


def encode(question: str) -> Int64[Tensor, "1 words"]:
    """The numbers of a question's words; padding comes before them, so that the last one is a word.

    Raises:
        NetworkError: if it has no words, or an unknown one, or too many.
    """
    words = spoken_words(question)
    if unknown := [word for word in words if word not in QUESTION_WORDS]:
        raise NetworkError(
            f"the network does not know the word {unknown[0]!r}; use those that it knows: {', '.join(QUESTION_WORDS)}"
        )
    if not 0 < len(words) <= _MOST_WORDS:
        raise NetworkError(f"the question has {len(words)} words; ask one of 1 to {_MOST_WORDS}")
    numbers = [QUESTION_WORDS.index(word) + 1 for word in words]
    return torch.tensor([[_PADDING] * (_MOST_WORDS - len(numbers)) + numbers])


def captioner() -> Captioner:
    """The trained captioner, in eval mode."""
    module = Captioner(sight(convolutions()))
    module.load_state_dict(_weights("captioner"))
    return module.eval()


def answerer() -> Answerer:
    """The trained answerer, in eval mode."""
    module = Answerer(sight(convolutions()))
    module.load_state_dict(_weights("answerer"))
    return module.eval()


def _weights(name: str) -> dict[str, Tensor]:
    return {key: value.float() for key, value in load_file(WEIGHTS[name]).items()}
