"""Train the small network on generated scenes and write dissection/scenes.safetensors.

Reproducible: the same torch on the same machine gives the same weights. Batch normalisation helps training only; it is
folded into the convolutions at the end. A penalty on the mean of the last map keeps its units silent on most of a
picture, which is what makes them name one thing each.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dissection.concepts.scenes import SCENE_CLASSES, draw_scene
from dissection.scenes_network import INPUT_SIZE, MEAN, STD, WEIGHTS, ScenesNet

TRAINING, HELD_OUT = 1000, 2000  # seeds; the demo's scenes are drawn from seed 0


def pixels(seed: int, index: int) -> np.ndarray:
    """A scene's photograph at the network's input size."""
    photograph = draw_scene(seed, index).photograph.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(photograph)


def draw(seed: int, images: int, workers: int) -> tuple[Tensor, Tensor]:
    """Scenes as bytes (images, 3, 112, 112), and their classes."""
    with ProcessPoolExecutor(workers) as pool:
        photographs = np.stack(list(pool.map(partial(pixels, seed), range(images), chunksize=100)))
    return torch.from_numpy(photographs).permute(0, 3, 1, 2), torch.arange(images) % len(SCENE_CLASSES)


def normalise(images: Tensor) -> Tensor:
    """Bytes to the network's input."""
    return (images / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def augment(images: Tensor) -> Tensor:
    """Mirror half of the images; change brightness, contrast and the balance of colors a little."""
    mirrored = torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(3), images)
    gain = 1 + 0.15 * torch.randn(len(images), 1, 1, 1) + 0.07 * torch.randn(len(images), 3, 1, 1)
    mirrored = mirrored.contiguous(memory_format=torch.channels_last)
    return mirrored * gain + 0.15 * torch.randn(len(images), 3, 1, 1) + 0.04 * torch.randn_like(images)


def with_batch_norm(network: ScenesNet) -> nn.Sequential:
    """The network's features with a batch normalisation after each convolution."""
    layers: list[nn.Module] = []
    for layer in network.features:
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*layers)


def fold(network: ScenesNet, features: nn.Sequential) -> None:
    """Write batch normalisation into the convolutions' weights."""
    pairs = zip(features, list(features)[1:], strict=False)
    folded = [fuse_conv_bn_eval(one.eval(), other.eval()) for one, other in pairs if isinstance(other, nn.BatchNorm2d)]
    for layer, fused in zip((m for m in network.features if isinstance(m, nn.Conv2d)), folded, strict=True):
        layer.load_state_dict(fused.state_dict())


def train(images: Tensor, classes: Tensor, *, epochs: int, batch: int, sparsity: float) -> ScenesNet:
    """A trained network."""
    network = ScenesNet().train()
    features = with_batch_norm(network).to(memory_format=torch.channels_last)
    body, pool = features[:-1], features[-1]
    parameters = [*features.parameters(), *network.classifier.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0.02)
    steps = len(images) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * steps)
    for epoch in range(epochs):
        started, losses = time.monotonic(), []
        for chosen in torch.randperm(len(images))[: steps * batch].split(batch):
            activation = body(augment(normalise(images[chosen])))
            loss = F.cross_entropy(network.classifier(pool(activation)), classes[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            (loss + sparsity * activation.mean()).backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1:2d}: loss {np.mean(losses):.4f}, {time.monotonic() - started:.0f} s", flush=True)
    fold(network, features)
    return network.eval()


@torch.inference_mode()
def accuracy(network: ScenesNet, images: Tensor, classes: Tensor) -> float:
    """Share of images the network gets right."""
    right = sum(
        int((network(normalise(some)).argmax(1) == those).sum())
        for some, those in zip(images.split(100), classes.split(100), strict=True)
    )
    return right / len(images)


def main() -> None:
    """Draw, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3600)
    parser.add_argument("--held-out", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--sparsity", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw; training keeps to one thread")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(0)
    images, classes = draw(TRAINING, options.images, options.workers)
    network = train(images, classes, epochs=options.epochs, batch=options.batch, sparsity=options.sparsity)
    share = accuracy(network, *draw(HELD_OUT, options.held_out, options.workers))
    print(f"{share:.2%} of {options.held_out} held-out scenes are right")
    save_file({name: weights.contiguous() for name, weights in network.state_dict().items()}, options.out)


if __name__ == "__main__":
    main()
