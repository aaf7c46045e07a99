"""Labels photographs with CLIPSeg, which is asked for one word at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from dissection.labelling.scores import each_word, resized
from dissection.networks.isolation import undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image
    from torch import nn

    from dissection.labelling.class_words import ClassWords
    from dissection.labelling.segmenter import Segment, Segmentation

EVEN = 0.5
"""The usual minimum of confidence: a word is rather there than not."""

PROMPTED = frozenset(("clipseg",))
"""Types of models that are asked for words."""


def segment_with_prompts(
    module: nn.Module,
    processor: Any,  # noqa: ANN401 -- transformers
    words: ClassWords,
    name: str,
    device: str,
) -> Segment:
    """Labels photographs with a model that scores the pixels of each of the words; the confidence is the sigmoid."""
    asked = [concept.name for concept in words.concepts.values()]
    texts = processor.tokenizer(asked, padding=True, return_tensors="pt").to(device)

    @torch.inference_mode()
    def segment(photographs: Sequence[Image.Image], size: int) -> list[Segmentation]:
        pixels = processor.image_processor(images=list(photographs), return_tensors="pt")["pixel_values"].to(device)
        seen = []
        for image in pixels:
            with undisturbed(module):
                logits = module(pixel_values=image.expand(len(asked), *image.shape), **texts).logits
            grid = resized(logits.reshape(1, len(asked), *logits.shape[-2:]), size)[0]
            seen.append(each_word(grid.sigmoid(), words.numbers, name))
        return seen

    return segment
