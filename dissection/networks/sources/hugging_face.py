"""Networks of transformers, from the Hugging Face hub or a folder: image classifiers, captioners and answerers.

Classifiers come with their image processor and labels, the others with their image processor and tokenizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from dissection.errors import NetworkError
from dissection.networks.preprocessing import Preprocessing

from .extras import fetching, needs
from .hugging_face_answers import ANSWERERS, answerer
from .hugging_face_captions import CAPTIONERS, captioner
from .repositories import NO_CODE, PREFIX, location_of, pretrained, real_labels
from .spec import NetworkSpec, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dissection.networks.network import Network
    from dissection.networks.weights import WeightsFile

_OF_TYPE = {
    "blip": "BlipForConditionalGeneration",
    "git": "GitForCausalLM",
    "llava": "LlavaForConditionalGeneration",
    "vilt": "ViltForQuestionAnswering",
    "vipllava": "VipLlavaForConditionalGeneration",
    "vision-encoder-decoder": "VisionEncoderDecoderModel",
}
"""The class of a network of images and text whose configuration names only its type."""
_REFUSED = {
    "ViltForQuestionAnswering": "draws the order of its patches anew in each run, so its maps have no place in the "
    "image; give another network",
}

_INTERPOLATION = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "bicubic",
    Image.Resampling.LANCZOS: "lanczos",
}
_STEPS = frozenset(("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"))
"""What a :class:`Preprocessing` does too."""
_CROPPED_BELOW = 384
"""ConvNeXt's processor crops smaller inputs from a larger photograph, and squashes photographs to larger inputs."""


def open_hf(name: str, weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """A network by the name of its repository or by a folder; no code of a repository is run.

    Raises:
        NetworkError: if transformers is not installed, or the image processor does something unknown.
        WeightsError: if the network or its weights cannot be fetched or read, or do not fit.
    """
    with needs(name, "hf"):
        import transformers  # noqa: PLC0415 -- an extra
    hub: Any = transformers
    location = location_of(name)
    advice = f"fetch the repository if you can, and give its folder: --network {PREFIX}FOLDER"
    with fetching(name, advice):
        config = hub.AutoConfig.from_pretrained(location, **NO_CODE)
        architecture = _talking_class(config, name)
        kind = getattr(hub, architecture) if architecture else _classifiers(hub, config, name)
        processor = hub.AutoImageProcessor.from_pretrained(location, **NO_CODE).to_dict()
        preprocessing = _preprocessing(processor, name)
        talker = _talkers(hub, architecture, location)
        if weights is None:
            module = pretrained(kind, name, location)
        else:
            module = load(kind(config) if architecture else kind.from_config(config, **NO_CODE), weights)
    label = location.rstrip("/").rpartition("/")[2]
    spec = f"{PREFIX}{location}"
    if talker is not None:
        return NetworkSpec(module, label, spec=spec, talking=talker(module, preprocessing, label))
    return NetworkSpec(
        module,
        label,
        preprocessing,
        real_labels(config.id2label),
        output="logits",
        multi_label=config.problem_type == "multi_label_classification",
        spec=spec,
    )


def _talking_class(config: Any, name: str) -> str:  # noqa: ANN401 -- transformers
    """The class of the captioner or answerer that a configuration describes; empty if that is none.

    Raises:
        NetworkError: if it describes a network of images and text that cannot be read rightly.
    """
    stated = list(getattr(config, "architectures", None) or [])
    architecture = str(stated[0]) if stated else _OF_TYPE.get(config.model_type, "")
    if architecture in _REFUSED:
        raise NetworkError(f"{name} ({architecture}) {_REFUSED[architecture]}")
    if getattr(config, "num_image_with_embedding", None):
        raise NetworkError(f"{name} ({architecture}) describes videos; give a network that takes one image")
    return architecture if architecture in {*CAPTIONERS, *ANSWERERS} else ""


def _talkers(hub: Any, architecture: str, location: str) -> Callable[[Any, Preprocessing, str], Network] | None:  # noqa: ANN401 -- transformers
    """What makes networks of a class, with the repository's tokenizer or processor."""
    if architecture in CAPTIONERS:
        tokenizer = hub.AutoTokenizer.from_pretrained(location, **NO_CODE)
        return lambda module, preprocessing, name: captioner(module, tokenizer, preprocessing, name)
    if architecture in ANSWERERS:
        processor = hub.AutoProcessor.from_pretrained(location, **NO_CODE)
        return lambda module, preprocessing, name: answerer(module, processor, preprocessing, name)
    return None


def _classifiers(hub: Any, config: Any, name: str) -> Any:  # noqa: ANN401 -- transformers
    """The class that makes classifiers of images.

    Raises:
        NetworkError: if a configuration is not that of one.
    """
    if type(config) not in hub.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        kind = next(iter(config.architectures or []), config.model_type)
        raise NetworkError(
            f"{name} ({kind}) is not a network that is taken; give a classifier of images, a captioner "
            f"({', '.join(CAPTIONERS)}) or an answerer ({', '.join(ANSWERERS)})"
        )
    return hub.AutoModelForImageClassification


def _preprocessing(processor: Mapping[str, Any], name: str) -> Preprocessing:
    """The preprocessing of an image processor that resizes, crops the centre, rescales and normalises."""
    unknown = [key for key, does in processor.items() if key.startswith("do_") and does and key not in _STEPS]
    if unknown:
        raise NetworkError(
            f"the image processor of {name} does more than resize, crop, rescale and normalise photographs "
            f"({', '.join(sorted(unknown))}); give a network without that"
        )
    size = _pair(processor.get("size"))
    if size is None:
        raise NetworkError(
            f"the image processor of {name} does not say to what size it resizes photographs; give --input-size"
        )
    crop = _pair(processor.get("crop_size")) if processor.get("do_center_crop") else None
    resize: int | tuple[int, int] = size if "height" in processor["size"] else size[0]
    share = processor.get("crop_pct")
    if share is not None and size[0] < _CROPPED_BELOW:
        crop, resize = size, int(size[0] / share)
    elif share is not None:
        resize = size
    mean, std = _normalisation(processor)
    interpolation = _INTERPOLATION.get(processor.get("resample", Image.Resampling.BILINEAR))
    if interpolation is None:
        raise NetworkError(f"the image processor of {name} resizes in an unknown way; bilinear or bicubic is needed")
    return Preprocessing(crop or size, resize, mean, std, interpolation, len(mean))


def _pair(size: Any) -> tuple[int, int] | None:  # noqa: ANN401 -- the hub's JSON
    """Height and width of a processor's size."""
    if not isinstance(size, dict):
        return None
    side = size.get("shortest_edge")
    return (side, side) if side else (size["height"], size["width"]) if "height" in size else None


def _normalisation(processor: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of red, green and blue in [0, 1]; a processor may rescale bytes to another range first."""
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processor.get("do_normalize"):
        mean, std = tuple(processor["image_mean"]), tuple(processor["image_std"])
    top = 255 * (processor.get("rescale_factor") or 1 / 255) if processor.get("do_rescale", True) else 255
    return tuple(value / top for value in mean), tuple(value / top for value in std)
