"""Networks of transformers, from the Hugging Face hub or a folder: image classifiers, captioners and answerers.

Classifiers come with their image processor and labels, the others with their image processor and tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from dissection.errors import NetworkError, WeightsError
from dissection.networks.checkpoint_claims import refuse_claims
from dissection.networks.preprocessing import Preprocessing
from dissection.networks.weights import is_finite

from .extras import fetching, needs
from .hugging_face_answers import ANSWERERS, answerer
from .hugging_face_captions import CAPTIONERS, captioner
from .spec import NetworkSpec, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from dissection.networks.network import Network
    from dissection.networks.weights import WeightsFile

_PREFIX = "hf/"
_PICKLE = "pytorch_model.bin"
_NO_CODE = {"trust_remote_code": False}
"""Without it, transformers asks on the terminal whether to run a repository's code."""

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
    location = _location(name)
    advice = f"fetch the repository if you can, and give its folder: --network {_PREFIX}FOLDER"
    with fetching(name, advice):
        config = hub.AutoConfig.from_pretrained(location, **_NO_CODE)
        architecture = _talking_class(config, name)
        kind = getattr(hub, architecture) if architecture else _classifiers(hub, config, name)
        processor = hub.AutoImageProcessor.from_pretrained(location, **_NO_CODE).to_dict()
        preprocessing = _preprocessing(processor, name)
        talker = _talkers(hub, architecture, location)
        if weights is None:
            module = _pretrained(kind, name, location)
        else:
            module = load(kind(config) if architecture else kind.from_config(config, **_NO_CODE), weights)
    label = location.rstrip("/").rpartition("/")[2]
    spec = f"{_PREFIX}{location}"
    if talker is not None:
        return NetworkSpec(module, label, spec=spec, talking=talker(module, preprocessing, label))
    return NetworkSpec(
        module,
        label,
        preprocessing,
        _labels(config.id2label),
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
        tokenizer = hub.AutoTokenizer.from_pretrained(location, **_NO_CODE)
        return lambda module, preprocessing, name: captioner(module, tokenizer, preprocessing, name)
    if architecture in ANSWERERS:
        processor = hub.AutoProcessor.from_pretrained(location, **_NO_CODE)
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


def _pretrained(kind: Any, name: str, location: str) -> nn.Module:  # noqa: ANN401 -- transformers
    """The repository's network; transformers itself would fill in missing weights at random, and say so in a log."""
    for file in _pickles(Path(location)):
        refuse_claims(file)
    module: nn.Module
    module, loading = kind.from_pretrained(location, torch_dtype="float32", output_loading_info=True, **_NO_CODE)
    missing = [str(key) for key in loading["missing_keys"]]
    if missing:
        raise WeightsError(f"{name} lacks the weights {', '.join(missing[:3])}; fetch one that was trained for it")
    odd = [key for key, value in module.named_parameters() if not is_finite(value)]
    if odd:
        raise WeightsError(f"the weights of {name} hold a NaN or an infinity ({', '.join(odd[:3])}); fetch them again")
    return module


def _pickles(folder: Path) -> list[Path]:
    """The pickles of weights that transformers may read in a folder: the usual one, and those that an index names."""
    index = folder / f"{_PICKLE}.index.json"
    named = json.loads(index.read_bytes())["weight_map"].values() if index.is_file() else ()
    return [file for name in sorted({_PICKLE, *named}) if (file := folder / name).is_file()]


def _location(name: str) -> str:
    """The repository, or the folder's absolute path."""
    rest = name.removeprefix(_PREFIX)
    folder = Path(rest).expanduser()
    return str(folder.resolve()) if folder.is_dir() else rest


def _labels(labels: Mapping[int, str]) -> tuple[str, ...]:
    """Labels by index, unless they are placeholders."""
    ordered = tuple(label for _, label in sorted(labels.items()))
    return () if all(label == f"LABEL_{index}" for index, label in enumerate(ordered)) else ordered


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
