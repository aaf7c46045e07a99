"""Labels photographs with a detector that finds boxes for words, and SAM, which cuts out what each box holds.

A pixel's confidence is the score of the surest box whose mask it is in. Words do not exclude each other: hair is on a
person.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dissection.labelling.scores import require_finite_scores
from dissection.labelling.segmenter import Segmentation
from dissection.networks.isolation import undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Bool, Float
    from PIL import Image
    from torch import Tensor

    from dissection.labelling.class_words import ClassWords
    from dissection.labelling.segmenter import Segment

    Opened = tuple[Any, Any]
    Finder = Callable[[Image.Image], tuple[Float[Tensor, "boxes words"], Float[Tensor, "boxes 4"]]]

DETECTORS: Mapping[str, float] = MappingProxyType(
    {"grounding-dino": 0.25, "mm-grounding-dino": 0.25, "owlv2": 0.1, "owlvit": 0.1}
)
"""Detectors by type, and the score that their own processors keep boxes from."""

MASKERS: Mapping[str, str] = MappingProxyType({"sam": "SamModel", "sam_hq": "SamHQModel", "sam2": "Sam2Model"})
"""What makes masks of boxes, by type."""


def open_boxes(kind: str, detector: Opened, masker: Opened, words: ClassWords, least: float, device: str) -> Segment:
    """Labels photographs with a detector and what makes masks of its boxes, each a model and its processor.

    Args:
        kind: the type of the detector.
        detector: finds boxes.
        masker: makes masks of them.
        words: what to find.
        least: boxes of a lower score are not cut out.
        device: where both run.
    """
    asked = [concept.name for concept in words.concepts.values()]
    find = (_grounded if "grounding-dino" in kind else _of_queries)(*detector, asked, device)

    def segment(photographs: Sequence[Image.Image], size: int) -> list[Segmentation]:
        return [_cut_out(photograph, find, masker, words, least, size, device) for photograph in photographs]

    return segment


@torch.inference_mode()
def _cut_out(
    photograph: Image.Image, find: Finder, masker: Opened, words: ClassWords, least: float, size: int, device: str
) -> Segmentation:
    logits, boxes = find(photograph)
    require_finite_scores(logits, "the detector")
    greatest, chosen = logits.max(1)
    best = greatest.sigmoid()
    kept = best >= least
    confidence = np.zeros((len(words.numbers), size, size), np.float32)
    if kept.any():
        masks = _masks(photograph, boxes[kept], masker, size, device)
        for mask, word, score in zip(masks, chosen[kept].tolist(), best[kept].tolist(), strict=True):
            confidence[word] = np.where(mask, np.maximum(confidence[word], np.float32(score)), confidence[word])
    labels = np.where(confidence > 0, words.numbers[:, None, None], np.int32(0))
    return Segmentation(labels, confidence)


def _masks(
    photograph: Image.Image, boxes: Float[Tensor, "boxes 4"], masker: Opened, size: int, device: str
) -> Bool[np.ndarray, "boxes size size"]:
    """The mask that SAM makes of each box, on a grid over the whole frame."""
    module, processor = masker
    inputs = processor(images=photograph, input_boxes=[boxes.tolist()], return_tensors="pt")
    reshaped = inputs.pop("reshaped_input_sizes", None)
    inputs.pop("original_sizes", None)
    with undisturbed(module):
        made = module(**inputs.to(device), multimask_output=False).pred_masks.cpu()
    (masks,) = processor.post_process_masks(
        made, [(size, size)], **({} if reshaped is None else {"reshaped_input_sizes": reshaped})
    )
    cut: np.ndarray = masks[:, 0].numpy().astype(bool)
    return cut


def _of_queries(module: Any, processor: Any, asked: Sequence[str], device: str) -> Finder:  # noqa: ANN401 -- transformers
    """OWL-ViT and OWLv2: a logit of each box for each word."""

    def find(photograph: Image.Image) -> tuple[Tensor, Tensor]:
        inputs = processor(text=[list(asked)], images=photograph, return_tensors="pt").to(device)
        with undisturbed(module):
            outputs = module(**inputs)
        (found,) = processor.post_process_grounded_object_detection(
            outputs, threshold=-1.0, target_sizes=[photograph.size[::-1]]
        )
        return outputs.logits[0].cpu(), found["boxes"].cpu()

    return find


def _grounded(module: Any, processor: Any, asked: Sequence[str], device: str) -> Finder:  # noqa: ANN401 -- transformers
    """Grounding DINO: a logit of each box for each token of a sentence of all words; a word's is that of its surest."""
    text = " ".join(f"{word.lower()}." for word in asked)
    ends = np.cumsum([len(word) + 2 for word in asked])
    tokens = processor.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    of_word = [
        [place for place, (first, last) in enumerate(tokens) if end - len(word) - 2 <= first < last < end - 1]
        for word, end in zip(asked, ends.tolist(), strict=True)
    ]

    def find(photograph: Image.Image) -> tuple[Tensor, Tensor]:
        inputs = processor(text=text, images=photograph, return_tensors="pt").to(device)
        with undisturbed(module):
            outputs = module(**inputs)
        (found,) = processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=-1.0, target_sizes=[photograph.size[::-1]]
        )
        by_token = outputs.logits[0].cpu()
        return torch.stack([by_token[:, places].amax(1) for places in of_word], 1), found["boxes"].cpu()

    return find
