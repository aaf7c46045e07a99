"""Trains the networks of described scenes: first features, then sight, then what they say.

Reproducible: the same torch on the same machine gives the same weights. Features learn from pictures without a word, as
the paper's trunks did from ImageNet, and stay as they are from then on. Sight and speech learn from other scenes: of
those that features have learnt from they are surer than they will ever be again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dissection.scenes.classifier import convolutions
from dissection.scenes.training import fold, normalise, with_batch_norm

from .lessons import TARGETS, UNKNOWN
from .networks import VECTOR, Answerer, Captioner, Sight
from .networks import sight as untrained_sight
from .scene import THINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float, Int64, UInt8

    from .lessons import Lessons

    Progress = Callable[[str], None]

_AT_ONCE = 100
_SHOWN = 16
"""Pixels of a cell, of 64, from which on it shows a concept; of cells that show fewer, but some, nothing is asked."""

_PRESENT = 4.0
"""How much more a concept that is shown counts than one that is not, which is far more frequent."""

_FIRST_LOGIT = -3.0
_DROPOUT = 0.3
_SPARSITY = 0.03
"""Weight of the mean absolute weights of a unit of the vector: a unit that reads few others says more of them."""


@dataclass(frozen=True, slots=True)
class FeatureTraining:
    """The settings of training features.

    Attributes:
        epochs: how often every scene is seen.
        batch: scenes in one step.
        rate: the highest learning rate.
        seed: of the first weights, the order of the scenes, and how they are altered.
        sparsity: weight of the mean of the last map in the loss.
        decay: of weights.
    """

    epochs: int = 10
    batch: int = 24
    rate: float = 3e-3
    seed: int = 0
    sparsity: float = 0.005
    decay: float = 0.02


@dataclass(frozen=True, slots=True)
class HeadTraining:
    """The settings of training what reads frozen maps or vectors.

    A network that is made surer than it need be has hardly a gradient left: labels are smoothed, and training is short.
    """

    epochs: int
    batch: int = 100
    rate: float = 3e-3
    seed: int = 0
    decay: float = 0.01
    dropout: float = 0.2
    smoothing: float = 0.1


DESCRIBE = HeadTraining(epochs=10, batch=50, rate=2e-3, decay=0.02, dropout=0.1, smoothing=0.05)
CAPTION = HeadTraining(epochs=14)
ANSWER = HeadTraining(epochs=10)


class _Detectors(nn.Module):
    """Tells from each unit of the last map where its concept is; thrown away after training."""

    def __init__(self, concepts: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(concepts))
        self.bias = nn.Parameter(torch.full((concepts,), _FIRST_LOGIT))

    def loss(
        self, maps: Float[Tensor, "scenes units 14 14"], cells: UInt8[Tensor, "scenes 14 14 concepts"]
    ) -> Float[Tensor, ""]:
        """How wrong it is, over the cells that show much of a concept or nothing."""
        logits = F.softplus(self.scale) * maps[:, : len(self.scale)].permute(0, 2, 3, 1) + self.bias
        is_shown = cells >= _SHOWN
        weight = (is_shown | (cells == 0)).float()
        return F.binary_cross_entropy_with_logits(
            logits, is_shown.float(), weight, pos_weight=logits.new_tensor(_PRESENT)
        )


def train_features(
    material: Lessons, how: FeatureTraining, *, make: Callable[[], nn.Sequential] = convolutions, progress: Progress
) -> nn.Sequential:
    """Features whose first units detect the concepts, one each, and the colours of things; in eval mode.

    Args:
        material: scenes to learn from.
        how: the settings.
        make: makes the features, untrained: layers that make a map, 14 x 14, and a layer that pools it.
        progress: called with a line about each epoch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        features = make().train()
        learning = with_batch_norm(features).to(memory_format=torch.channels_last)
        detectors = _Detectors(material.cells.shape[3])
        groups: list[dict[str, Any]] = [
            {"params": [*learning.parameters()]},
            {"params": [*detectors.parameters()], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=how.rate, weight_decay=how.decay)
        steps = len(material.images) // how.batch
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * steps)
        for epoch in range(how.epochs):
            losses = []
            for indices in torch.randperm(len(material.images))[: steps * how.batch].reshape(steps, how.batch):
                # Half the precision is half the time.
                with torch.autocast("cpu", torch.bfloat16):
                    maps = learning[:-1](_altered(normalise(material.images[indices])))
                maps = maps.float()
                wrong = detectors.loss(maps, material.cells[indices])
                optimizer.zero_grad()
                torch.autograd.backward(wrong + how.sparsity * maps.mean())
                optimizer.step()
                schedule.step()
                losses.append(wrong.item())
            progress(f"features, epoch {epoch + 1} of {how.epochs}: loss {np.mean(losses):.4f}")
    fold(learning)
    return features.eval()


def train_sight(
    features: nn.Sequential,
    material: Lessons,
    how: HeadTraining = DESCRIBE,
    *,
    make: Callable[[nn.Sequential], Sight] = untrained_sight,
    progress: Progress,
) -> Sight:
    """Sight that tells colours and sides of things, and places, in eval mode; standardised over the same scenes.

    Args:
        features: stay as they are.
        material: scenes that they have not learnt from.
        how: the settings.
        make: makes it of features, untrained.
        progress: called with a line about each epoch.
    """
    maps = _in_parts(features, material.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        sight = make(features)
        tells = nn.Linear(VECTOR, sum(TARGETS))

        def loss(indices: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
            vectors = sight.describe(F.dropout(maps[indices], how.dropout))
            told = tells(F.dropout(vectors, _DROPOUT)).split_with_sizes(TARGETS, 1)
            wrong = [
                _wrong(scores, targets, how.smoothing)
                for scores, targets in zip(told, material.targets[indices].T, strict=True)
            ]
            colors, sides, places = torch.stack(wrong).split_with_sizes([len(THINGS), len(THINGS), 1])
            weights = torch.stack([weight.abs().sum() for weight in sight.describe.parameters() if weight.ndim > 1])
            return 2 * colors.mean() + sides.mean() + places.mean() + _SPARSITY * weights.sum() / VECTOR

        learn(nn.ModuleList([sight.describe, tells]), len(maps), how, loss, "sight", progress)
    with torch.no_grad():
        vectors = sight.describe(maps)
        sight.mean.copy_(vectors.mean(0))
        sight.deviation.copy_(vectors.std(0).clamp(min=1e-3))
    return sight.eval()


def _wrong(
    scores: Float[Tensor, "scenes kinds"], targets: Int64[Tensor, " scenes"], smoothing: float
) -> Float[Tensor, ""]:
    """The mean loss where the target is known; 0 where none is."""
    losses = F.cross_entropy(scores, targets, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="sum")
    return losses / (targets != UNKNOWN).sum().clamp(min=1)


def _altered(images: Float[Tensor, "images 3 h w"]) -> Float[Tensor, "images 3 h w"]:
    """Slightly other brightness, contrast and noise; not mirrored, since left stays left, and hardly other colours."""
    images = images.contiguous(memory_format=torch.channels_last)
    gain = 1 + 0.1 * torch.randn(len(images), 1, 1, 1) + 0.02 * torch.randn(len(images), 3, 1, 1)
    shift = 0.1 * torch.randn(len(images), 1, 1, 1)
    return images * gain + shift + 0.04 * torch.randn_like(images)


@torch.no_grad()
def _in_parts(module: nn.Module, images: UInt8[Tensor, "scenes 3 112 112"]) -> Float[Tensor, "scenes ..."]:
    """What a module makes of images."""
    parts = (images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE))
    return torch.cat([module(normalise(part)) for part in parts])


def train_captioner(
    sight: Sight, material: Lessons, how: HeadTraining = CAPTION, *, shuffled: bool = False, progress: Progress
) -> Captioner:
    """A captioner with this sight, in eval mode.

    Args:
        sight: sees, and stays as it is.
        material: scenes that sight has not learnt from.
        how: the settings.
        shuffled: learn each caption with the picture of another scene, so that pictures tell nothing: a control.
        progress: called with a line about each epoch.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        module = Captioner(sight)
        vectors = _in_parts(sight, material.images)
        if shuffled:
            vectors = vectors[torch.randperm(len(vectors))]

        def loss(indices: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
            said = material.captions[indices]
            logits = module.following(F.dropout(vectors[indices], how.dropout), said[:, :-1].clamp(min=0))
            return F.cross_entropy(
                logits.flatten(0, 1), said.flatten(), ignore_index=UNKNOWN, label_smoothing=how.smoothing
            )

        learn(module, len(vectors), how, loss, "captions", progress)
    return module.eval()


def train_answerer(sight: Sight, material: Lessons, how: HeadTraining = ANSWER, *, progress: Progress) -> Answerer:
    """An answerer with this sight, in eval mode; arguments are those of :func:`train_captioner`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        module = Answerer(sight)
        vectors = _in_parts(sight, material.images)
        scenes, asked, answers = material.questions

        def loss(indices: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
            scores = module.answering(F.dropout(vectors[scenes[indices]], how.dropout), asked[indices])
            return F.cross_entropy(scores, answers[indices], label_smoothing=how.smoothing)

        learn(module, len(answers), how, loss, "answers", progress)
    return module.eval()


def learn(
    module: nn.Module,
    count: int,
    how: HeadTraining,
    loss_of: Callable[[Int64[Tensor, " batch"]], Float[Tensor, ""]],
    stage: str,
    progress: Progress,
) -> None:
    """Train all of a network but its ``sees``.

    Args:
        module: the network.
        count: how much there is to learn from: the indices that ``loss_of`` takes are below it.
        how: the settings.
        loss_of: the loss of some of it.
        stage: for the lines of progress.
        progress: called with a line about each epoch.
    """
    learnt = [parameter for name, parameter in module.named_parameters() if not name.startswith("sees.")]
    optimizer = torch.optim.AdamW(learnt, lr=how.rate, weight_decay=how.decay)
    batch = min(how.batch, count)
    steps = count // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * steps)
    for epoch in range(how.epochs):
        losses = []
        for indices in torch.randperm(count)[: steps * batch].reshape(steps, batch):
            loss = loss_of(indices)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(learnt, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        progress(f"{stage}, epoch {epoch + 1} of {how.epochs}: loss {np.mean(losses):.3f}")
