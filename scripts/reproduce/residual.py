"""A residual trunk, and what the paper puts on one: Show and Tell, and hierarchical co-attention (Sec. 8.2).

Show and Tell (Vinyals et al. 2015) gives an LSTM the mean of the last map over all places as if it were a word. It is
:class:`Captioner` on a sight that pools so. Hierarchical question-image co-attention (Lu et al. 2016) looks at the
places of the map and at the words of the question by turns, for words, phrases and the whole question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dissection.scenes.described.language import ANSWERS, QUESTION_WORDS
from dissection.scenes.described.networks import VECTOR, Sight
from dissection.scenes.described.training import learn
from dissection.scenes.training import normalise

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int64

    from dissection.scenes.described.lessons import Lessons
    from dissection.scenes.described.training import HeadTraining, Progress

STAGES = ("sees.features.2", "sees.features.3", "sees.features.4")
"""The stages of the trunk: maps of 28, 14 and 14 cells a side."""

_WIDTHS = (16, 24, 48, 96)
_HIDDEN = 128
_PADDING = 0
_PHRASES = (1, 2, 3)
"""Lengths of phrases, in words."""


class Block(nn.Module):
    """Two convolutions, each normalised, beside a shortcut (He et al. 2016)."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Identity() if stride == 1 and before == after else nn.Conv2d(before, after, 1, stride)
        self.rectify = nn.ReLU()

    def forward(self, maps: Float[Tensor, "images before h w"]) -> Float[Tensor, "images after H W"]:
        """The sum of both, rectified."""
        rectified: Tensor = self.rectify(self.path(maps) + self.shortcut(maps))
        return rectified


def residual_features() -> nn.Sequential:
    """The untrained trunk."""
    stem, *widths = _WIDTHS
    stages = [
        nn.Sequential(Block(before, after, stride), Block(after, after, 1))
        for before, after, stride in zip((stem, *widths), widths, (2, 2, 1), strict=False)
    ]
    return nn.Sequential(nn.Conv2d(3, stem, 3, 2, padding=1), nn.ReLU(), *stages, nn.MaxPool2d(2))


def pooling_sight(features: nn.Sequential) -> Sight:
    """Untrained sight, whose vector is made of the mean of the last map."""
    connected = nn.Linear(_WIDTHS[-1], VECTOR)
    return Sight(features, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), connected, nn.ReLU()))


class CoAttention(nn.Module):
    """Places of a map and parts of a question, each weighed by the other (Lu et al. 2016, Sec. 3.3, parallel)."""

    def __init__(self) -> None:
        super().__init__()
        self.affinity = nn.Linear(_HIDDEN, _HIDDEN, bias=False)
        self.image, self.question = (nn.Linear(_HIDDEN, _HIDDEN, bias=False) for _ in range(2))
        self.of_image, self.of_question = (nn.Linear(_HIDDEN, 1, bias=False) for _ in range(2))

    def forward(
        self,
        places: Float[Tensor, "images places width"],
        parts: Float[Tensor, "images parts width"],
        is_word: Bool[Tensor, "images parts"],
    ) -> Float[Tensor, "images width"]:
        """The sum of both, weighed."""
        affinity = (parts @ self.affinity(places).transpose(1, 2)).tanh()
        image, question = self.image(places), self.question(parts)
        looks = self.of_image((image + affinity.transpose(1, 2) @ question).tanh())
        reads = self.of_question((question + affinity @ image).tanh())
        reads = reads.masked_fill(~is_word[..., None], float("-inf"))
        return (looks.softmax(1) * places).sum(1) + (reads.softmax(1) * parts).sum(1)


class Hierarchical(nn.Module):
    """Hierarchical question-image co-attention.

    Args:
        sees: the trunk, whose pooled map is looked at.
    """

    def __init__(self, sees: Sight) -> None:
        super().__init__()
        self.sees = sees
        self.places = nn.Conv2d(_WIDTHS[-1], _HIDDEN, 1)
        self.words = nn.Embedding(len(QUESTION_WORDS) + 1, _HIDDEN, padding_idx=_PADDING)
        self.phrases = nn.ModuleList(nn.Conv1d(_HIDDEN, _HIDDEN, size) for size in _PHRASES)
        self.reads = nn.LSTM(_HIDDEN, _HIDDEN, batch_first=True)
        self.attention = nn.ModuleList(CoAttention() for _ in range(3))
        self.joins = nn.ModuleList(nn.Linear(width, _HIDDEN) for width in (_HIDDEN, 2 * _HIDDEN, 2 * _HIDDEN))
        self.answers = nn.Linear(_HIDDEN, len(ANSWERS))

    def forward(
        self, images: Float[Tensor, "images 3 112 112"], questions: Int64[Tensor, "images words"]
    ) -> Float[Tensor, "images answers"]:
        """Scores of the answers."""
        return self.answering(self.sees.features(images), questions)

    def answering(
        self, maps: Float[Tensor, "images units h w"], questions: Int64[Tensor, "images words"]
    ) -> Float[Tensor, "images answers"]:
        """As :meth:`forward`, of images that were seen before."""
        places = self.places(maps).flatten(2).transpose(1, 2).tanh()
        words = self.words(questions)
        grams = [
            convolve(F.pad(words.transpose(1, 2), (size - 1, 0))).tanh()
            for size, convolve in zip(_PHRASES, self.phrases, strict=True)
        ]
        phrases = torch.stack(grams).amax(0).transpose(1, 2)
        whole, _ = self.reads(phrases)
        joined = words.new_zeros(len(words), 0)
        for parts, attention, join in zip((words, phrases, whole), self.attention, self.joins, strict=True):
            attended = attention(places, parts, questions != _PADDING)
            joined = join(torch.cat([attended, joined], 1)).tanh()
        scores: Tensor = self.answers(joined)
        return scores


def train_hierarchical(sight: Sight, material: Lessons, how: HeadTraining, *, progress: Progress) -> Hierarchical:
    """Co-attention over a trained trunk, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        module = Hierarchical(sight)
        with torch.no_grad():
            maps = torch.cat([sight.features(normalise(part)) for part in material.images.split(100)])
        scenes, asked, answers = material.questions

        def loss(indices: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
            scores = module.answering(F.dropout(maps[scenes[indices]], how.dropout), asked[indices])
            return F.cross_entropy(scores, answers[indices], label_smoothing=how.smoothing)

        learn(module, len(answers), how, loss, "co-attention", progress)
    return module.eval()
