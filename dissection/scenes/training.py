"""Trains the small network of the generated scenes, on all of them or on any other set.

Reproducible: the same torch on the same machine gives the same weights. Batch normalisation only helps training; it is
folded into the convolutions at the end. A penalty on the mean of the last map keeps its units silent on most of a
picture. If it is known where concepts are, a second target, see :mod:`.presence`, has each unit detect one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .classifier import INPUT_SIZE, MEAN, STD, ScenesNet, scenes_network
from .presence import Batch, ConceptHead, draw_quarters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jaxtyping import Float, Int64, UInt8

_DECAY = 0.02
_SMOOTHING = 0.05
_FIRST_WEIGHTS = 0.1
"""The classifier's first weights are this much smaller where concepts are a target: a unit that never responds at some
place keeps them there, and its importance should be near 0, not random."""


@dataclass(frozen=True, slots=True)
class Training:
    """The settings of training.

    Attributes:
        epochs: how often every image is seen.
        batch: images in one step.
        sparsity: weight of the mean of the last map in the loss.
        rate: the highest learning rate, after a third of the steps.
        seed: of the initial weights, the order of the images, and their augmentation.
        presence: weight of how wrong the concepts in the images are, if they are a target.
        silence: weight of how much units respond where their concept is not.
    """

    epochs: int = 5
    batch: int = 50
    sparsity: float = 0.5
    rate: float = 3e-3
    seed: int = 0
    presence: float = 40.0
    silence: float = 5.0


def pixels(photograph: Image.Image) -> UInt8[np.ndarray, "112 112 3"]:
    """A photograph at the network's input size."""
    return np.asarray(photograph.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR))


def stacked(photographs: Iterable[UInt8[np.ndarray, "112 112 3"]]) -> UInt8[Tensor, "images 3 112 112"]:
    """Photographs for :func:`train`, with colours last in memory: the noise that it adds follows the memory layout."""
    return torch.from_numpy(np.stack(list(photographs))).permute(0, 3, 1, 2)


def normalise(images: UInt8[Tensor, "images 3 112 112"]) -> Float[Tensor, "images 3 112 112"]:
    """Convert bytes to the network's input."""
    return (images / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def train(
    images: UInt8[Tensor, "images 3 112 112"],
    classes: Int64[Tensor, " images"],
    how: Training,
    *,
    cells: UInt8[Tensor, "images 7 7 concepts"] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> ScenesNet:
    """A network that tells the images' classes apart, in eval mode. The global random state does not change.

    Args:
        images: the images to learn from.
        classes: their classes, counted from 0.
        how: the settings.
        cells: how many pixels of each cell show each concept, see :func:`.presence.count_cells`. The first unit comes
            to detect the first concept, and so on; by default, units detect what helps to tell classes apart.
        progress: called after each epoch with the number of epochs so far and the mean loss of the classes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        network = ScenesNet(int(classes.max()) + 1).train()
        features = with_batch_norm(network.features).to(memory_format=torch.channels_last)
        if cells is None:
            learner = _Learner(network, features, images, classes, how)
        else:
            learner = _ConceptLearner(network, features, images, classes, how, cells, ConceptHead(cells.shape[3]))
        _learn(learner, progress)
    fold(features)
    return network.eval()


def fine_tune(
    images: UInt8[Tensor, "images 3 112 112"],
    classes: Int64[Tensor, " images"],
    how: Training,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> ScenesNet:
    """Like :func:`train`, but features start as the shipped network's, so its units keep detecting the same things."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        network = ScenesNet(int(classes.max()) + 1).train()
        network.features.load_state_dict(scenes_network().features.state_dict())
        _learn(_Learner(network, network.features, images, classes, how), progress)
    return network.eval()


@dataclass(frozen=True, slots=True, eq=False)
class _Learner:
    """A network that learns the classes of images.

    Attributes:
        network: the network.
        features: its features, with whatever helps training.
        images: the images to learn from.
        classes: their classes.
        how: the settings.
    """

    network: ScenesNet
    features: nn.Sequential
    images: UInt8[Tensor, "images 3 112 112"]
    classes: Int64[Tensor, " images"]
    how: Training

    def parameters(self) -> list[dict[str, Any]]:
        """What is learnt, for the optimizer."""
        return [{"params": [*self.features.parameters(), *self.network.classifier.parameters()]}]

    def losses(self, indices: Int64[Tensor, " batch"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss of the classes of some images, and the loss to minimise."""
        maps = self.features[:-1](_augment(normalise(self.images[indices])))
        loss = self._class_loss(maps, self.classes[indices])
        return loss, loss + self.how.sparsity * maps.mean()

    def _class_loss(self, maps: Float[Tensor, "batch units h w"], classes: Tensor) -> Float[Tensor, ""]:
        scores = self.network.classifier(self.features[-1](maps))
        return F.cross_entropy(scores, classes, label_smoothing=_SMOOTHING)


@dataclass(frozen=True, slots=True, eq=False)
class _ConceptLearner(_Learner):
    """A network that learns the classes of images, and which concepts are where in them.

    Attributes:
        cells: how many pixels of each cell show each concept.
        head: what tells the concepts from the last map, thrown away after training.
    """

    cells: UInt8[Tensor, "images 7 7 concepts"]
    head: ConceptHead

    def __post_init__(self) -> None:
        first, _ = (layer for layer in self.network.classifier if isinstance(layer, nn.Linear))
        with torch.no_grad():
            first.weight.mul_(_FIRST_WEIGHTS)

    def parameters(self) -> list[dict[str, Any]]:
        """What is learnt, for the optimizer; the head does not decay."""
        # super() is no use in a dataclass with slots, which is a copy of the class.
        return [*_Learner.parameters(self), {"params": [*self.head.parameters()], "weight_decay": 0.0}]

    def losses(self, indices: Int64[Tensor, " batch"]) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The loss of the classes of some images, and the loss to minimise. Half of the images are joined."""
        shares = F.one_hot(self.classes[indices], int(self.classes.max()) + 1).float()
        whole = Batch(normalise(self.images[indices]), shares, self.cells[indices], draw_quarters(len(indices)))
        batch = whole.joined(len(indices) // 2)
        # Half the precision is half the time.
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.features[:-1](_augment(batch.images))
        maps = maps.float()
        loss = self._class_loss(maps, batch.classes)
        wrong, noise = self.head.losses(maps, batch)
        return loss, loss + self.how.sparsity * maps.mean() + self.how.presence * wrong + self.how.silence * noise


def _learn(learner: _Learner, progress: Callable[[int, float], None] | None) -> None:
    """Train to the end, and tell the number of epochs so far and their mean loss."""
    for epoch, losses in enumerate(_epochs(learner), 1):
        if progress is not None:
            progress(epoch, float(np.mean(losses)))


def _epochs(learner: _Learner) -> Iterator[list[float]]:
    """Train epoch by epoch, and yield the losses of each."""
    how, images = learner.how, len(learner.images)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=how.rate, weight_decay=_DECAY)
    steps = images // how.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * steps)
    for _ in range(how.epochs):
        losses = []
        for indices in torch.randperm(images)[: steps * how.batch].reshape(steps, how.batch):
            class_loss, loss = learner.losses(indices)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(class_loss.item())
        yield losses


def _augment(images: Float[Tensor, "images 3 h w"]) -> Float[Tensor, "images 3 h w"]:
    """Mirror half of the images; slightly change brightness, contrast and colour balance."""
    mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    gain = 1 + 0.15 * torch.randn(len(images), 1, 1, 1) + 0.07 * torch.randn(len(images), 3, 1, 1)
    mirrored = mirrored.contiguous(memory_format=torch.channels_last)
    return mirrored * gain + 0.15 * torch.randn(len(images), 3, 1, 1) + 0.04 * torch.randn_like(images)


def with_batch_norm(features: nn.Sequential) -> nn.Sequential:
    """The same features with a batch normalisation after each convolution."""
    layers: list[nn.Module] = []
    for layer in features:
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*layers)


def fold(features: nn.Sequential) -> None:
    """Fold the batch normalisation of :func:`with_batch_norm` into the convolutions, which the network shares."""
    convolutions = [layer for layer in features if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in features if isinstance(layer, nn.BatchNorm2d)]
    for layer, norm in zip(convolutions, norms, strict=True):
        layer.load_state_dict(fuse_conv_bn_eval(layer.eval(), norm.eval()).state_dict())
