"""Trains the small network of the generated scenes, on all of them or on any other set.

Reproducible: the same torch on the same machine gives the same weights. Batch normalisation only helps training; it is
folded into the convolutions at the end. A penalty on the mean of the last map keeps its units silent on most of a
picture, so that each of them comes to detect one thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .classifier import INPUT_SIZE, MEAN, STD, ScenesNet, scenes_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jaxtyping import Float, Int64, UInt8

_DECAY = 0.02
_SMOOTHING = 0.05


@dataclass(frozen=True, slots=True)
class Training:
    """The settings of training.

    Attributes:
        epochs: how often every image is seen.
        batch: images in one step.
        sparsity: weight of the mean of the last map in the loss.
        rate: the highest learning rate, after a third of the steps.
        seed: of the initial weights, the order of the images, and their augmentation.
    """

    epochs: int = 5
    batch: int = 50
    sparsity: float = 0.5
    rate: float = 3e-3
    seed: int = 0


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
    progress: Callable[[int, float], None] | None = None,
) -> ScenesNet:
    """A network that tells the images' classes apart, in eval mode. The global random state does not change.

    Args:
        images: the images to learn from.
        classes: their classes, counted from 0.
        how: the settings.
        progress: called after each epoch with the number of epochs so far and the mean loss.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        network = ScenesNet(int(classes.max()) + 1).train()
        features = _with_batch_norm(network).to(memory_format=torch.channels_last)
        for epoch, losses in enumerate(_epochs(network, features, images, classes, how), 1):
            if progress is not None:
                progress(epoch, float(np.mean(losses)))
    _fold(features)
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
        for epoch, losses in enumerate(_epochs(network, network.features, images, classes, how), 1):
            if progress is not None:
                progress(epoch, float(np.mean(losses)))
    return network.eval()


def _epochs(
    network: ScenesNet, features: nn.Sequential, images: Tensor, classes: Tensor, how: Training
) -> Iterator[list[float]]:
    """Train epoch by epoch, and yield the losses of each."""
    body, pool = features[:-1], features[-1]
    parameters = [*features.parameters(), *network.classifier.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=how.rate, weight_decay=_DECAY)
    steps = len(images) // how.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, how.rate, total_steps=how.epochs * steps)
    for _ in range(how.epochs):
        losses = []
        for indices in torch.randperm(len(images))[: steps * how.batch].reshape(steps, how.batch):
            activation = body(_augment(normalise(images[indices])))
            loss = F.cross_entropy(network.classifier(pool(activation)), classes[indices], label_smoothing=_SMOOTHING)
            optimizer.zero_grad()
            (loss + how.sparsity * activation.mean()).backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        yield losses


def _augment(images: Float[Tensor, "images 3 h w"]) -> Float[Tensor, "images 3 h w"]:
    """Mirror half of the images; slightly change brightness, contrast and colour balance."""
    mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    gain = 1 + 0.15 * torch.randn(len(images), 1, 1, 1) + 0.07 * torch.randn(len(images), 3, 1, 1)
    mirrored = mirrored.contiguous(memory_format=torch.channels_last)
    return mirrored * gain + 0.15 * torch.randn(len(images), 3, 1, 1) + 0.04 * torch.randn_like(images)


def _with_batch_norm(network: ScenesNet) -> nn.Sequential:
    """The network's features with a batch normalisation after each convolution."""
    layers: list[nn.Module] = []
    for layer in network.features:
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*layers)


def _fold(features: nn.Sequential) -> None:
    """Fold batch normalisation into the convolutions, which the network shares."""
    convolutions = [layer for layer in features if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in features if isinstance(layer, nn.BatchNorm2d)]
    for layer, norm in zip(convolutions, norms, strict=True):
        layer.load_state_dict(fuse_conv_bn_eval(layer.eval(), norm.eval()).state_dict())
