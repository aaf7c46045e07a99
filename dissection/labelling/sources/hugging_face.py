"""Segmenters of transformers, from the Hugging Face hub or a folder; no code of a repository is run.

Semantic and panoptic segmenters come with their image processor and their words. CLIPSeg, and the detectors OWL-ViT,
OWLv2 and Grounding DINO with SAM, take any words. Weights are safetensors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dissection.concepts.model_labels import LabellingModel
from dissection.errors import NetworkError
from dissection.files.paths import readable
from dissection.labelling.class_words import asked_words, class_words
from dissection.labelling.segmenter import LIKELIEST, Segmenter, digest_of
from dissection.networks.sources.extras import fetching, needs
from dissection.networks.sources.repositories import NO_CODE, PREFIX, location_of, pretrained

from .boxes import DETECTORS, MASKERS, open_boxes
from .hugging_face_scores import segment_of_transformers
from .prompted import EVEN, PROMPTED, segment_with_prompts

if TYPE_CHECKING:
    from dissection.labelling.request import LabellerRequest

_LICENCE = re.compile(r"^license(?:_name)?:\s*(\S.*?)\s*$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_LONGEST = 80
_TAKEN = (
    "SegFormer, UPerNet, BEiT, DPT, MaskFormer, Mask2Former, OneFormer, ...; CLIPSeg; OWLv2 or Grounding DINO with SAM"
)


def open_hugging_face(request: LabellerRequest) -> Segmenter:
    """A segmenter by the name of its repository or by a folder.

    Raises:
        NetworkError: if transformers is not installed, the model does not label pixels, has no words, or lacks what it
            needs.
        WeightsError: if it cannot be fetched or read, or its weights are no safetensors or do not fit.
    """
    name = request.model
    if request.weights:
        raise NetworkError(f"{name} comes with its weights; leave --weights out")
    with needs(name, "hf"):
        import transformers  # noqa: PLC0415 -- an extra
    hub: Any = transformers
    with _fetching(name):
        config = hub.AutoConfig.from_pretrained(location_of(name), **NO_CODE)
    kind = config.model_type
    if request.masks and kind not in DETECTORS:
        raise NetworkError(
            f"{name} ({kind}) gives no boxes, so --masks {request.masks} has nothing to cut out; leave it out"
        )
    if kind in MASKERS:
        raise NetworkError(
            f"{name} ({kind}) makes masks of boxes; give it with --masks, and what finds boxes with --with"
        )
    if (kind in DETECTORS or kind in PROMPTED) and not request.words:
        raise NetworkError(f'{name} ({kind}) finds what it is asked for; give --words "stethoscope, white coat"')
    if kind in DETECTORS:
        return _of_boxes(hub, request, kind)
    return _of_prompts(hub, request) if kind in PROMPTED else _of_classes(hub, request, config)


def load_labeller(auto: Any, name: str, device: str) -> tuple[Any, LabellingModel]:  # noqa: ANN401 -- transformers
    """A repository's model, and what is noted of it."""
    location = location_of(name)
    module = pretrained(auto, name, location, use_safetensors=True).eval()
    label = readable(location.rstrip("/").rpartition("/")[2])
    spec = f"{PREFIX}{label if Path(location).is_dir() else location}"
    return module.to(device), LabellingModel(label, spec, digest_of(module), _licence(location))


def _of_classes(hub: Any, request: LabellerRequest, config: Any) -> Segmenter:  # noqa: ANN401 -- transformers
    """A segmenter with words of its own."""
    name, location = request.model, location_of(request.model)
    _require_segmenter(hub, config, name)
    words = class_words(request.classes or _labels(config), name, category=request.category, only=request.words)
    is_semantic = type(config) in hub.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING
    auto = hub.AutoModelForSemanticSegmentation if is_semantic else hub.AutoModelForUniversalSegmentation
    with _fetching(name):
        module, by = load_labeller(auto, name, request.device)
        opened = hub.AutoProcessor if config.model_type == "oneformer" else hub.AutoImageProcessor
        processor = opened.from_pretrained(location, **NO_CODE)
    segment = segment_of_transformers(module, processor, words, by.name, request.device)
    return Segmenter((by,), _software(hub), words, request.confidence(LIKELIEST), segment)


def _of_prompts(hub: Any, request: LabellerRequest) -> Segmenter:  # noqa: ANN401 -- transformers
    """A segmenter that is asked for words."""
    words = asked_words(request.words, category=request.category)
    with _fetching(request.model):
        module, by = load_labeller(hub.CLIPSegForImageSegmentation, request.model, request.device)
        processor = hub.AutoProcessor.from_pretrained(location_of(request.model), **NO_CODE)
    segment = segment_with_prompts(module, processor, words, by.name, request.device)
    return Segmenter((by,), _software(hub), words, request.confidence(EVEN), segment)


def _of_boxes(hub: Any, request: LabellerRequest, kind: str) -> Segmenter:  # noqa: ANN401 -- transformers
    name = request.model
    if not request.masks:
        raise NetworkError(f"{name} ({kind}) finds boxes, not pixels; add --masks hf/facebook/sam-vit-base")
    with _fetching(request.masks):
        masker = hub.AutoConfig.from_pretrained(location_of(request.masks), **NO_CODE)
    if masker.model_type not in MASKERS:
        taken = ", ".join(MASKERS)
        raise NetworkError(f"{request.masks} ({masker.model_type}) makes no masks of boxes; give one of {taken}")
    words = asked_words(request.words, category=request.category)
    with _fetching(name):
        detector, found_by = load_labeller(hub.AutoModelForZeroShotObjectDetection, name, request.device)
        processor = hub.AutoProcessor.from_pretrained(location_of(name), **NO_CODE)
    with _fetching(request.masks):
        cutter, cut_by = load_labeller(getattr(hub, MASKERS[masker.model_type]), request.masks, request.device)
        mask_processor = hub.AutoProcessor.from_pretrained(location_of(request.masks), **NO_CODE)
    least = request.confidence(DETECTORS[kind])
    segment = open_boxes(kind, (detector, processor), (cutter, mask_processor), words, least, request.device)
    return Segmenter((found_by, cut_by), _software(hub), words, least, segment)


def _fetching(name: str) -> Any:  # noqa: ANN401 -- a context manager
    return fetching(name, f"fetch the repository, with safetensors, if you can, and give its folder: {PREFIX}FOLDER")


def _labels(config: Any) -> tuple[str, ...]:  # noqa: ANN401 -- transformers
    """The labels of a configuration, by class."""
    return tuple(str(config.id2label.get(index, "")) for index in range(max(config.id2label, default=-1) + 1))


def _require_segmenter(hub: Any, config: Any, name: str) -> None:  # noqa: ANN401 -- transformers
    """Refuse what does not label pixels.

    Raises:
        NetworkError: if a configuration is not that of a segmenter.
    """
    stated = next(iter(getattr(config, "architectures", None) or []), "")
    mappings = hub.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING, hub.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING
    if any(type(config) in mapping for mapping in mappings) and (not stated or "Segmentation" in stated):
        return
    kind = stated or config.model_type
    if "Classification" in stated or (not stated and type(config) in hub.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING):
        reason = "is a classifier: it says what a photograph shows, but not where; give a segmenter"
        raise NetworkError(f"{name} ({kind}) {reason} ({_TAKEN})")
    raise NetworkError(f"{name} ({kind}) does not label pixels in a way that is taken; give {_TAKEN}")


def _licence(location: str) -> str:
    """The licence that a repository's model card states; empty if none."""
    from transformers.utils.hub import cached_file  # noqa: PLC0415 -- an extra

    card = cached_file(
        location,
        "README.md",
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    front = _FRONT.match(Path(card).read_text("utf-8", "replace")) if card else None
    stated = [line.strip("'\"")[:_LONGEST] for line in _LICENCE.findall(front[1])] if front else []
    return readable(", ".join(stated))


def _software(hub: Any) -> dict[str, str]:  # noqa: ANN401 -- transformers
    return {"torch": str(torch.__version__), "transformers": str(hub.__version__)}
