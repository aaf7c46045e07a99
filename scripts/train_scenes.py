"""Train the small network on generated scenes and write dissection/scenes/scenes.safetensors; training.py has more."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor

from dissection.scenes.classifier import WEIGHTS, ScenesNet
from dissection.scenes.scene import draw_scene
from dissection.scenes.training import Training, normalise, pixels, stacked, train
from dissection.scenes.words import SCENE_CLASSES

if TYPE_CHECKING:
    import numpy as np

TRAINING, HELD_OUT = 1000, 2000  # seeds; the demo's scenes are drawn from seed 0


def scene_pixels(seed: int, index: int) -> np.ndarray:
    """A scene's photograph at the network's input size."""
    return pixels(draw_scene(seed, index).photograph)


def draw(seed: int, images: int, workers: int) -> tuple[Tensor, Tensor]:
    """Scenes as bytes (images, 3, 112, 112), and their classes."""
    with ProcessPoolExecutor(workers) as pool:
        photographs = stacked(pool.map(partial(scene_pixels, seed), range(images), chunksize=100))
    return photographs, torch.arange(images) % len(SCENE_CLASSES)


@torch.inference_mode()
def accuracy(network: ScenesNet, images: Tensor, classes: Tensor) -> float:
    """Share of images that the network gets right."""
    correct = sum(
        int((network(normalise(batch)).argmax(1) == batch_classes).sum())
        for batch, batch_classes in zip(images.split(100), classes.split(100), strict=True)
    )
    return correct / len(images)


def main() -> None:
    """Draw, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=3600)
    parser.add_argument("--held-out", type=int, default=1200)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--sparsity", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw; training uses one thread")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    images, classes = draw(TRAINING, options.images, options.workers)
    started = time.monotonic()

    def report_epoch(epoch: int, loss: float) -> None:
        print(f"epoch {epoch:2d}: loss {loss:.4f}, {time.monotonic() - started:.0f} s in all", flush=True)

    training = Training(epochs=options.epochs, batch=options.batch, sparsity=options.sparsity)
    network = train(images, classes, training, progress=report_epoch)
    share = accuracy(network, *draw(HELD_OUT, options.held_out, options.workers))
    print(f"{share:.2%} of {options.held_out} held-out scenes are right")
    save_file({name: weights.contiguous() for name, weights in network.state_dict().items()}, options.out)


if __name__ == "__main__":
    main()
