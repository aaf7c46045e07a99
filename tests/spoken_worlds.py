"""Coloured squares that are described and asked about, for the captioner and the answerer that are made by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from talkers import WORDS
from torch.nn.functional import logsigmoid
from worlds import COLOURS, PLAIN, colour_square

from neuronexplain.evaluation.ground_truth.language.word_table import WordTable
from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, ObjectLocation, Question

KINDS = dict.fromkeys(COLOURS, "colour") | dict.fromkeys(("a", "of"), "function")
KINDS |= {"square": "thing", "light": "thing"}
TABLE = WordTable({(word,): word for word in KINDS if KINDS[word] != "function"}, KINDS)
COLOUR_QUESTION, SQUARE_QUESTION = "what colour is it ?", "is it a square ?"


@dataclass(frozen=True)
class DescribedSquares:
    """A square of one colour and a smaller one, the light, of the next: of both it is known where they are."""

    count: int = 8
    name: str = "described squares"

    @property
    def objects(self):
        return {word: () for word in KINDS if KINDS[word] != "function"}

    def __len__(self) -> int:
        return self.count

    def colours(self, index: int) -> tuple[str, str]:
        names = list(COLOURS)
        return names[index % 4], names[(index + 1) % 4]

    def annotated(self, index: int) -> AnnotatedImage:
        one, other = self.colours(index)
        at = (index % 3 + 1, index % 4 + 2)
        photograph = colour_square(one, at=at)
        photograph.paste(COLOURS[other], (22, 20, 28, 26))
        large, small = location(at, 12), location((22, 20), 6)
        return AnnotatedImage(
            f"square {index}",
            photograph,
            {one: large, "square": large, other: small, "light": small},
            captions=(f"a {one} square of a {other} light",),
            questions=(
                Question(COLOUR_QUESTION, one, "colour", "square"),
                Question(SQUARE_QUESTION, "yes" if index % 3 else "no", "presence", "light"),
            ),
            setting=("land", "sea")[index % 2],
        )

    def identity(self) -> str:
        return f"{self.count}"


def location(at: tuple[int, int], side: int) -> ObjectLocation:
    mask = np.zeros((32, 32), bool)
    mask[at[1] : at[1] + side, at[0] : at[0] + side] = True
    return ObjectLocation(np.array([[at[0], at[1], at[0] + side, at[1] + side]]) / 32, mask)


def pixels(image: AnnotatedImage) -> torch.Tensor:
    return PLAIN.tensor(image.photograph)[None]


def slow_log_odds(module, images: torch.Tensor, words: list[str]) -> torch.Tensor:
    """Of each word of a caption, given those before it: written out with probabilities."""
    logits = module.logits(images.double(), torch.tensor([WORDS.index(word) for word in words]))
    chances = logits.softmax(-1)[:, range(len(words)), [WORDS.index(word) for word in words]]
    return chances.log() - (1 - chances).log()


def slow_grad_cam(module, image: torch.Tensor, score, size=float) -> np.ndarray:
    """Eq. 1 and 2, with loops; the layer's grid is the image's. ``size=abs`` is "absolute gradients" of Table 3."""
    kept = []
    hook = module.trunk.rectify.register_forward_hook(lambda _module, _inputs, output: kept.append(output) or output)
    value = score(image)
    hook.remove()
    (slope,) = torch.autograd.grad(value, kept[0], allow_unused=True)
    total = torch.zeros(32, 32, dtype=kept[0].dtype)
    for unit in range(4):
        alpha = 0 if slope is None else sum(map(size, slope[0, unit].flatten().tolist())) / (32 * 32)
        total = total + alpha * kept[0][0, unit].detach()
    return total.clamp(min=0).numpy()


def slow_caption_score(module, words):
    return lambda image: logsigmoid(slow_log_odds(module, image, words)).sum()


def slow_hit(values: np.ndarray, mask: np.ndarray) -> float:
    """Whether the first greatest pixel in reading order is in the mask; no pixel of a flat map is greatest."""
    best = max(((values[y, x], -y, -x) for y in range(32) for x in range(32)), default=None)
    return 0.0 if np.ptp(values) == 0 else float(mask[-best[1], -best[2]])


def slow_share(values: np.ndarray, mask: np.ndarray) -> float:
    total = sum(max(float(value), 0) for value in values.flat)
    inside = sum(max(float(values[y, x]), 0) for y in range(32) for x in range(32) if mask[y, x])
    return inside / total if total else float(mask.mean())
