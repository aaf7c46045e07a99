"""Train the captioner and the answerer of described scenes, and write them into dissection/scenes/described."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from train_scenes import CONCEPTS

from dissection.scenes.described.language import ANSWERS, THING_COLORS
from dissection.scenes.described.lessons import Lessons, draw_lessons
from dissection.scenes.described.networks import END, WEIGHTS, WORDS, Answerer, Captioner, generate
from dissection.scenes.described.training import (
    FeatureTraining,
    train_answerer,
    train_captioner,
    train_features,
    train_sight,
)
from dissection.scenes.training import normalise

if TYPE_CHECKING:
    from torch import nn

SEEING, SPEAKING, HELD_OUT = 4000, 5000, 6000
"""Seeds of the scenes that features learn from, of those that sight and speech learn from, and of others."""


@torch.inference_mode()
def right_captions(module: Captioner, material: Lessons) -> tuple[float, float]:
    """The share of captions, and of their words, that are right."""
    end = WORDS.index(END)
    whole = words = total = 0
    for images, references in zip(material.images.split(100), material.captions.split(100), strict=True):
        for said, reference in zip(generate(module, normalise(images)), references.tolist(), strict=True):
            tokens = [token for token in reference if token not in {-1, end}]
            pairs = list(zip(tokens, said, strict=False))
            whole += tokens == said
            words += sum(one == other for one, other in pairs)
            total += len(tokens)
    return whole / len(material.images), words / total


@torch.inference_mode()
def right_answers(module: Answerer, material: Lessons) -> dict[str, float]:
    """The share of answers that are right, by what kind of answer is wanted."""
    scenes, asked, answers = material.questions
    images = normalise(material.images)
    vectors = torch.cat([module.sees(part) for part in images.split(100)])
    is_right = module.answering(vectors[scenes], asked).argmax(1) == answers
    kinds = [_kind(answer) for answer in answers.tolist()]
    return {
        kind: is_right[torch.tensor([other == kind for other in kinds])].float().mean().item()
        for kind in dict.fromkeys(kinds)
    }


def _kind(answer: int) -> str:
    if answer < 2:
        return "presence"
    return "colour" if ANSWERS[answer] in THING_COLORS else "thing or place"


def save(module: nn.Module, name: str, folder: Path) -> None:
    """Write weights in half precision."""
    weights = {key: value.half().contiguous() for key, value in module.state_dict().items()}
    save_file(weights, folder / WEIGHTS[name].name)


def main() -> None:
    """Draw, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--held-out", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw; training uses one thread")
    parser.add_argument("--out", type=Path, default=WEIGHTS["captioner"].parent)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s: {line}", flush=True)

    def draw(seed: int, scenes: int) -> Lessons:
        return draw_lessons(seed, CONCEPTS, scenes=scenes, workers=options.workers)

    how = FeatureTraining(epochs=options.epochs)
    features = train_features(draw(SEEING, options.images), how, progress=progress)
    spoken = draw(SPEAKING, options.images)
    sight = train_sight(features, spoken, progress=progress)
    captioner = train_captioner(sight, spoken, progress=progress)
    answerer = train_answerer(sight, spoken, progress=progress)
    save(captioner, "captioner", options.out)
    save(answerer, "answerer", options.out)
    held_out = draw(HELD_OUT, options.held_out)
    whole, words = right_captions(captioner, held_out)
    progress(f"{options.held_out} held-out scenes: {whole:.1%} of captions and {words:.1%} of words are right")
    for kind, share in right_answers(answerer, held_out).items():
        progress(f"answers that are {kind}: {share:.1%} right")


if __name__ == "__main__":
    main()
