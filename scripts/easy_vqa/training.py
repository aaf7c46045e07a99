"""Trains the answerer. Reproducible: the same torch on the same machine gives the same weights.

Kept are the weights after the epoch that answers best about a tenth of the pictures, which it does not learn from.
Nothing tells the answerer where a shape is.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from answerer import PREPROCESSING, Answerer
from questions import ANSWERS
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float, Int64, UInt8
    from questions import AskedPictures

    from dissection.execution.settings import Progress

_AT_ONCE = 2500
"""Questions in one pass when nothing is learnt."""


@dataclass(frozen=True, slots=True)
class Training:
    """The settings of training.

    Attributes:
        epochs: how often every picture is seen.
        batch: pictures in one step, with all their questions.
        rate: the highest learning rate, after a third of the steps.
        sparsity: weight of the mean of the last map in the loss: units stay silent where they need not respond.
        held_out: share of the pictures on which the best epoch is chosen.
        seed: of the first weights, of what is held out, and of the order of the pictures.
    """

    epochs: int = 10
    batch: int = 16
    rate: float = 2e-3
    sparsity: float = 0.03
    held_out: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPictures:
    """Pictures and questions as an answerer takes them.

    Attributes:
        pictures: the pictures' pixels.
        texts: different questions, by their words.
        text: which of those each question is.
        picture: which picture each question is about.
        answer: the right answer to each question.
    """

    pictures: UInt8[Tensor, "pictures 64 64 3"]
    texts: Int64[Tensor, "texts words"]
    text: Int64[Tensor, " questions"]
    picture: Int64[Tensor, " questions"]
    answer: Int64[Tensor, " questions"]

    @classmethod
    def of(cls, data: AskedPictures, answerer: Answerer) -> Self:
        """Encode pictures and questions for an answerer."""
        texts = {text: number for number, text in enumerate(sorted({question.text for question in data.questions}))}
        answers = {answer: number for number, answer in enumerate(answerer.answers)}
        return cls(
            torch.from_numpy(data.pictures),
            pad_sequence([answerer.encode(text)[0] for text in texts], batch_first=True),
            torch.tensor([texts[question.text] for question in data.questions]),
            torch.tensor([question.picture for question in data.questions]),
            torch.tensor([answers[question.answer] for question in data.questions]),
        )

    def about(self, pictures: Int64[Tensor, " batch"]) -> Int64[Tensor, " questions_of_batch"]:
        """The questions about some pictures."""
        return torch.isin(self.picture, pictures).nonzero()[:, 0]

    def shown_to(
        self, answerer: Answerer, questions: Int64[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "pictures units h w"], Float[Tensor, "batch answers"]]:
        """An answerer's maps and scores; each of the pictures is looked at once, and each of the texts read once."""
        pictures, picture = self.picture[questions].unique(return_inverse=True)
        texts, text = self.text[questions].unique(return_inverse=True)
        maps = answerer.sees(PREPROCESSING.normalised(self.pictures[pictures]))
        heard = answerer.heard(self.texts[texts])
        return maps, answerer.scores(answerer.seen(maps)[picture], heard[text])

    @torch.inference_mode()
    def said(self, answerer: Answerer, questions: Int64[Tensor, " questions"]) -> Int64[Tensor, " questions"]:
        """The answers that an answerer in eval mode gives, by number."""
        batches = questions.split(_AT_ONCE)
        return torch.cat([self.shown_to(answerer, batch)[1].argmax(1) for batch in batches])


def train(
    data: AskedPictures,
    how: Training,
    *,
    report: Callable[[int, float, float], None],
    progress: Progress | None = None,
) -> Answerer:
    """An answerer that has learnt from pictures and questions, in eval mode. The global random state does not change.

    Args:
        data: what to learn from.
        how: the settings.
        report: called after each epoch with its number, its mean loss, and the share of right answers held out.
        progress: called after each step with the epoch, and the number of pictures that have been learnt from in it.
    """
    words = sorted({word for question in data.questions for word in question.text.removesuffix("?").split()})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        answerer = Answerer(words, ANSWERS)
        encoded = EncodedPictures.of(data, answerer)
        held_out = int(how.held_out * len(data.pictures))
        withheld, learnt_from = torch.randperm(len(data.pictures)).tensor_split([held_out])
        chosen_on = encoded.about(withheld)
        best, weights = -1.0, answerer.state_dict()
        for epoch, loss in enumerate(_epochs(answerer, encoded, learnt_from, how, progress), 1):
            is_right = encoded.said(answerer.eval(), chosen_on) == encoded.answer[chosen_on]
            share = float(is_right.double().mean())
            report(epoch, loss, share)
            if share > best:
                best, weights = share, deepcopy(answerer.state_dict())
    answerer.load_state_dict(weights)
    return answerer


def _epochs(
    answerer: Answerer,
    encoded: EncodedPictures,
    pictures: Int64[Tensor, " pictures"],
    how: Training,
    progress: Progress | None,
) -> Iterator[float]:
    """Train epoch by epoch, and yield the mean loss of each."""
    optimizer = torch.optim.AdamW(answerer.parameters(), lr=how.rate)
    steps = max(1, len(pictures) // how.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * steps)
    for epoch in range(how.epochs):
        answerer.train()
        losses, done = [], 0
        for batch in pictures[torch.randperm(len(pictures))].tensor_split(steps):
            questions = encoded.about(batch)
            maps, scores = encoded.shown_to(answerer, questions)
            loss = F.cross_entropy(scores, encoded.answer[questions])
            optimizer.zero_grad()
            torch.autograd.backward(loss + how.sparsity * maps.mean())
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            done += len(batch)
            if progress is not None:
                progress(f"epoch {epoch + 1}", done, len(pictures))
        yield sum(losses) / len(losses)
