"""Train the small network on generated scenes and write dissection/scenes/scenes.safetensors; training.py has more."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from dissection.scenes.classifier import WEIGHTS, ScenesNet
from dissection.scenes.presence import count_cells
from dissection.scenes.scene import draw_scene
from dissection.scenes.training import Training, normalise, pixels, stacked, train
from dissection.scenes.words import PARTS_OF, SCENE_CLASSES, number

TRAINING, HELD_OUT = 1000, 2000  # seeds; the demo's scenes are drawn from seed 0


NOT_LEARNT = {"bird", "cloud", "floor", "hill", "moon", "sky", "sun", "wall"}
"""Objects that say little about the class of a scene."""

PARTS = (
    "antler", "blanket", "book", "burner", "canopy", "cap", "chimney", "drawer", "frond", "handle", "headboard", "hull",
    "hump", "lampshade", "lantern", "mast", "oven door", "pillow", "post", "roof", "rung", "sail", "shelf", "snowcap",
    "wheel", "window", "worktop",
)  # fmt: skip

CONCEPTS = [
    *(number("object", name) for name in PARTS_OF if name not in NOT_LEARNT),
    *(number("part", name) for name in PARTS),
]
"""The label numbers of the concepts that units come to detect, in the order of the units."""


def drawn(seed: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """A scene's photograph at the network's input size, and how many pixels of each cell show each concept."""
    scene = draw_scene(seed, index)
    return pixels(scene.photograph), count_cells(scene.labels.values(), CONCEPTS)


def draw(seed: int, images: int, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scenes as bytes (images, 3, 112, 112), their classes, and the cells of their concepts."""
    with ProcessPoolExecutor(workers) as pool:
        photographs, cells = zip(*pool.map(partial(drawn, seed), range(images), chunksize=100), strict=True)
    return stacked(photographs), torch.arange(images) % len(SCENE_CLASSES), torch.from_numpy(np.stack(cells))


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
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--sparsity", type=float, default=0.2)
    parser.add_argument("--presence", type=float, default=40.0)
    parser.add_argument("--silence", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw; training uses one thread")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    images, classes, cells = draw(TRAINING, options.images, options.workers)
    started = time.monotonic()

    def report_epoch(epoch: int, loss: float) -> None:
        print(f"epoch {epoch:2d}: loss {loss:.4f}, {time.monotonic() - started:.0f} s in all", flush=True)

    training = Training(
        epochs=options.epochs,
        batch=options.batch,
        sparsity=options.sparsity,
        presence=options.presence,
        silence=options.silence,
    )
    network = train(images, classes, training, cells=cells, progress=report_epoch)
    held_out, held_out_classes, _ = draw(HELD_OUT, options.held_out, options.workers)
    share = accuracy(network, held_out, held_out_classes)
    print(f"{share:.2%} of {options.held_out} held-out scenes are right")
    save_file({name: weights.contiguous() for name, weights in network.state_dict().items()}, options.out)


if __name__ == "__main__":
    main()
