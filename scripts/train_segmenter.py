"""Train a small SegFormer to label the objects of generated scenes, and write it as transformers write theirs.

    python scripts/train_segmenter.py SEGMENTER
    neuronexplain concepts label PHOTOS DST --with hf/SEGMENTER

It learns from scenes of one seed, and is judged on those of another. It takes a quarter of an hour of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from dissection.networks.preprocessing import Preprocessing
from dissection.scenes.scene import draw_scene
from dissection.scenes.words import PARTS_OF, number

TRAINING, HELD_OUT = 3000, 3001
"""Seeds; figures are measured on others."""

SIDE = 112
"""Height and width of the network's input; its scores have a cell for every four pixels, as SegFormer's have."""

WORDS = tuple(PARTS_OF)
_FIRST = number("object", WORDS[0])
_TRAINED_AT = 56
_INPUT = Preprocessing(SIDE, resize=(SIDE, SIDE))

_CARD = """---
license: mit
---
A small SegFormer that labels the objects of NeuronExplain's generated scenes; scripts/train_segmenter.py trains it.
"""


def draw(seed: int, images: int) -> tuple[Tensor, Tensor]:
    """Scenes as bytes (images, height, width, 3), and the word of each pixel of their label maps, from 0."""
    photographs, words = [], []
    for index in range(images):
        scene = draw_scene(seed, index)
        photographs.append(np.asarray(scene.photograph.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
        words.append((scene.labels["object"] - _FIRST).astype(np.uint8))
    return torch.from_numpy(np.stack(photographs)), torch.from_numpy(np.stack(words))


def network() -> Any:  # noqa: ANN401 -- transformers
    """An untrained SegFormer, half as wide as the smallest published one, for `WORDS`."""
    names = dict(enumerate(WORDS))
    config = transformers.SegformerConfig(
        hidden_sizes=[32, 64, 128, 192],
        depths=[2, 2, 2, 2],
        decoder_hidden_size=128,
        hidden_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=names,
        label2id={name: index for index, name in names.items()},
    )
    return transformers.SegformerForSemanticSegmentation(config)


def train(segmenter: nn.Module, photographs: Tensor, words: Tensor, *, epochs: int, batch: int) -> None:
    """Learn the word of every second pixel, from scenes as they are and mirrored."""
    steps = epochs * (len(photographs) // batch)
    optimizer = torch.optim.AdamW(segmenter.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps, pct_start=0.1)
    segmenter.train()
    started, step = time.process_time(), 0
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(photographs))[: steps // epochs * batch].split(batch):
            mirrored = bool(torch.rand(()) < 0.5)
            pixels, truth = _INPUT.normalised(photographs[chosen]), words[chosen, ::2, ::2].long()
            if mirrored:
                pixels, truth = pixels.flip(3), words[chosen].flip(2)[:, ::2, ::2].long()
            scores = F.interpolate(segmenter(pixel_values=pixels).logits, (_TRAINED_AT, _TRAINED_AT), mode="bilinear")
            loss = F.cross_entropy(scores, truth)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(segmenter.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total, step = total + loss.item(), step + 1
        seconds = time.process_time() - started
        print(f"epoch {epoch + 1} of {epochs}: loss {total / (steps // epochs):.3f}, {seconds:.0f} s", flush=True)
    segmenter.eval()


@torch.inference_mode()
def quality(segmenter: nn.Module, photographs: Tensor, words: Tensor) -> tuple[float, float]:
    """Share of pixels that are right, and the mean over words of the IoU."""
    count = len(WORDS)
    table = torch.zeros(count * count)
    for images, truth in zip(photographs.split(20), words.split(20), strict=True):
        scores = F.interpolate(
            segmenter(pixel_values=_INPUT.normalised(images)).logits, truth.shape[1:], mode="bilinear"
        )
        table += torch.bincount((truth.long() * count + scores.argmax(1)).flatten(), minlength=count * count)
    table = table.view(count, count)
    hits, union = table.diagonal(), table.sum(0) + table.sum(1) - table.diagonal()
    shown = table.sum(1) > 0
    return float(hits.sum() / table.sum()), float((hits / union)[shown].mean())


def main() -> None:
    """Draw, train, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="new folder")
    parser.add_argument("--images", type=int, default=2400)
    parser.add_argument("--held-out", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(0)
    segmenter = network()
    train(segmenter, *draw(TRAINING, options.images), epochs=options.epochs, batch=options.batch)
    right, iou = quality(segmenter, *draw(HELD_OUT, options.held_out))
    print(f"{right:.3f} of the pixels right, mean IoU {iou:.3f}, on {options.held_out} scenes of another seed")
    segmenter.save_pretrained(options.out)
    transformers.SegformerImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=list(_INPUT.mean), image_std=list(_INPUT.std)
    ).save_pretrained(options.out)
    (options.out / "README.md").write_text(_CARD, "utf-8")
    print(f"Written to {options.out}.")


if __name__ == "__main__":
    main()
