"""Labels photographs with a semantic or panoptic segmenter of transformers and its own image processor.

The processor's ``post_process_semantic_segmentation`` turns outputs into scores of words. Those of semantic segmenters
are logits, whose softmax is the confidence. A panoptic segmenter's score of a word at a pixel is the sum over its
queries of how likely the query is that word times how likely the pixel is the query's: no logit, but nearly a
probability, which is taken as it is, up to 1.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import NetworkError
from dissection.labelling.scores import by_shape, most_likely
from dissection.networks.isolation import undisturbed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image
    from torch import Tensor, nn

    from dissection.labelling.class_words import ClassWords
    from dissection.labelling.segmenter import Segment, Segmentation

_OF_QUERIES = ("masks_queries_logits", "pred_masks")
_SCORES = "return_segmentation_scores"


def segment_of_transformers(
    module: nn.Module,
    processor: Any,  # noqa: ANN401 -- transformers
    words: ClassWords,
    name: str,
    device: str,
) -> Segment:
    """Labels photographs with a segmenter and its processor, which see their whole frames.

    Raises:
        NetworkError: if the processor cuts photographs up, or cannot give scores.
    """
    inputs_of = _whole_frames(processor, name)
    finish = processor.post_process_semantic_segmentation

    @torch.inference_mode()
    def segment(photographs: Sequence[Image.Image], size: int) -> list[Segmentation]:
        inputs = list(map(inputs_of, photographs))
        seen: dict[int, Segmentation] = {}
        for places in by_shape([one["pixel_values"] for one in inputs]):
            batch = {key: torch.cat([inputs[place][key] for place in places]).to(device) for key in inputs[places[0]]}
            with undisturbed(module):
                outputs = module(**batch)
            grids = [_padded_grid(inputs[place], size) for place in places]
            is_of_queries = any(key in outputs for key in _OF_QUERIES)
            for place, one in zip(places, finish(outputs, target_sizes=grids, **{_SCORES: True}), strict=True):
                scores = one["segmentation_scores"][:, :size, :size].float()
                _require_words(scores, words, name)
                seen[place] = most_likely(scores if is_of_queries else scores.softmax(0), words.numbers, name)
        return [seen[place] for place in range(len(photographs))]

    return segment


def _whole_frames(processor: Any, name: str) -> Any:  # noqa: ANN401 -- transformers
    """Makes a photograph a model's inputs, which cover its whole frame: a centre crop would lose the rest."""
    images = getattr(processor, "image_processor", processor)
    finish = getattr(processor, "post_process_semantic_segmentation", None)
    if finish is None:
        raise NetworkError(f"the image processor of {name} makes no masks of its scores; give another model")
    if _SCORES not in inspect.signature(images.post_process_semantic_segmentation).parameters:
        raise NetworkError(
            f"this version of transformers keeps the scores of {name} to itself; pip install -U transformers"
        )
    if getattr(images, "do_split_image", False):
        raise NetworkError(
            f"the image processor of {name} cuts photographs into pieces; give a model that sees all of one"
        )
    options: dict[str, Any] = {"return_tensors": "pt"}
    if getattr(images, "do_center_crop", False):
        crop = dict(images.crop_size)
        options |= {"do_center_crop": False, "size": {"height": crop["height"], "width": crop["width"]}}
    if images is not processor:
        options["task_inputs"] = ["semantic"]

    def inputs_of(photograph: Image.Image) -> dict[str, Tensor]:
        prepared = processor(images=photograph, **options)
        return {key: value for key, value in prepared.items() if isinstance(value, torch.Tensor)}

    return inputs_of


def _padded_grid(inputs: Mapping[str, Tensor], size: int) -> tuple[int, int]:
    """The grid for a padded photograph, of which the photograph itself takes ``size`` x ``size``."""
    mask = inputs.get("pixel_mask")
    if mask is None:
        return size, size
    rows, columns = int(mask[0].any(1).sum()), int(mask[0].any(0).sum())
    return round(size * mask.shape[1] / rows), round(size * mask.shape[2] / columns)


def _require_words(scores: Tensor, words: ClassWords, name: str) -> None:
    if len(scores) != len(words.numbers):
        raise NetworkError(
            f"{name} has {len(scores)} classes, but {len(words.numbers)} labels; give one for each: --classes"
        )
