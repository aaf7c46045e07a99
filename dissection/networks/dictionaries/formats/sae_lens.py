"""SAELens' folders: ``cfg.json`` and ``sae_weights.safetensors``, as its versions 2 to 6 write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from dissection.errors import NetworkError
from dissection.files.atomic import new_folder
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.weights import read_weights

from .parts import NamedTensors, after_subtraction, gated, norms, read_settings, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from dissection.networks.dictionaries.dictionary import Activation

SETTINGS, WEIGHTS = "cfg.json", "sae_weights.safetensors"

_ARCHITECTURES: Mapping[str, Activation] = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka_batchtopk": "jumprelu",
}
_WRITTEN: Mapping[Activation, str] = {"relu": "standard", "topk": "topk", "jumprelu": "jumprelu"}
_LEARNED = "learned"
"""Entry in the metadata of a folder that this project wrote: who learned the dictionary, and from what."""


def read_sae_lens(folder: Path) -> Dictionary:
    """The dictionary in a folder.

    Raises:
        NetworkError: if it has an option that is not computed here; the message names it.
        WeightsError: if its tensors cannot be read, or are others than its architecture has.
    """
    path = folder / SETTINGS
    settings = read_settings(path)
    notes = settings.get("metadata")
    metadata: Mapping[str, Any] = notes if isinstance(notes, dict) else settings  # of versions before 6
    architecture = _architecture(settings, path)
    _require_readable(settings, metadata, path)
    tensors = NamedTensors(read_weights(folder / WEIGHTS), folder / WEIGHTS)
    encoder = tensors.take("W_enc", None, None)
    units, features = encoder.shape
    decoder, offset = tensors.take("W_dec", features, units), tensors.take("b_dec", units)
    thresholds: Tensor | None = None
    if architecture == "gated":
        gate, magnitude, log_scale = (tensors.take(name, features) for name in ("b_gate", "b_mag", "r_mag"))
        encoder, bias, thresholds = gated(encoder, gate, magnitude, log_scale)
    else:
        bias = tensors.take("b_enc", features)
    if architecture == "jumprelu":
        thresholds = tensors.take("threshold", features)
    elif architecture.endswith("batchtopk"):  # of a batch while it is learned, and above this threshold ever after
        thresholds = tensors.take("topk_threshold").expand(bias.shape).contiguous()
    if settings.get("apply_b_dec_to_input", True):
        bias = after_subtraction(bias, encoder, offset)
    if settings.get("rescale_acts_by_decoder_norm"):
        lengths = norms(decoder)
        encoder, bias, decoder = encoder * lengths, bias * lengths, decoder / lengths[:, None]
    decoder = decoder * _finetuned(settings, tensors, features, path)
    tensors.end()
    return Dictionary(
        encoder,
        bias,
        decoder,
        offset,
        _ARCHITECTURES[architecture],
        _k(settings, path) if architecture == "topk" else 0,
        thresholds,
        layer=str(metadata.get("hook_name") or metadata.get("hook_point") or ""),
        learned=_learned(metadata),
    )


def write_sae_lens(dictionary: Dictionary, folder: Path, *, network: str = "") -> None:
    """Write a dictionary into a new folder, whole or not at all, as SAELens 6 does.

    Args:
        dictionary: the dictionary.
        folder: the folder, which must not exist.
        network: the name of the network that it was learned from.

    Raises:
        NetworkError: if SAELens knows no such activation.
        OutputError: if the folder exists, or cannot be written.
    """
    architecture = _WRITTEN.get(dictionary.activation)
    if architecture is None:
        raise NetworkError(
            f"SAELens has no dictionaries with {dictionary.activation}; save one with relu, topk or jumprelu"
        )
    settings: dict[str, object] = {
        "d_in": dictionary.units,
        "d_sae": dictionary.features,
        "dtype": str(dictionary.encoder.dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.0.0",
            "model_name": network,
            "hook_name": dictionary.layer,
            _LEARNED: dictionary.learned,
        },
        "architecture": architecture,
    }
    names = {"encoder": "W_enc", "bias": "b_enc", "decoder": "W_dec", "offset": "b_dec", "thresholds": "threshold"}
    if dictionary.activation == "topk":
        settings |= {"k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    with new_folder(folder) as sibling:
        save_file(
            {
                names[name]: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)  # none share memory
                for name, tensor in dictionary.tensors.items()
            },
            sibling / WEIGHTS,
        )
        (sibling / SETTINGS).write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _architecture(settings: Mapping[str, Any], path: Path) -> str:
    """Versions before 6 say by the activation that a standard dictionary is a TopK one."""
    architecture = settings.get("architecture", "standard")
    activation = settings.get("activation_fn_str", settings.get("activation_fn", "relu"))
    if activation == "topk" and architecture == "standard":
        architecture = "topk"
    elif activation != "relu" and (activation, architecture) != ("topk", "topk"):
        raise _refusal(path, "activation_fn", activation)
    if architecture not in _ARCHITECTURES:
        raise _refusal(path, "architecture", architecture)
    return str(architecture)


def _require_readable(settings: Mapping[str, Any], metadata: Mapping[str, Any], path: Path) -> None:
    """Refuse what cannot be folded into the tensors."""
    normalisation = settings.get("normalize_activations")
    if normalisation not in {None, False, "none"}:
        raise _refusal(path, "normalize_activations", normalisation)
    hook = str(metadata.get("hook_name") or metadata.get("hook_point") or "")
    reshaping = settings.get("reshape_activations", "hook_z" if "hook_z" in hook else "none")
    if reshaping != "none":
        raise _refusal(path, "reshape_activations", reshaping)
    head = metadata.get("hook_head_index", metadata.get("hook_point_head_index"))
    if head is not None:
        raise _refusal(path, "hook_head_index", head)


def _finetuned(settings: Mapping[str, Any], tensors: NamedTensors, features: int, path: Path) -> Tensor:
    """What each feature's direction is multiplied by, since the dictionary was finetuned."""
    names = ("finetuning_scaling_factor", "scaling_factor")
    present = next((tensors.take(name, features) for name in names if name in tensors), None)
    is_used = bool(settings.get("finetuning_scaling_factor"))
    if present is None:
        if is_used:
            raise _refusal(path, "finetuning_scaling_factor", "true, without its tensor")
        return torch.ones(1, 1)
    if not is_used and not torch.equal(present, torch.ones_like(present)):
        raise _refusal(path, "finetuning_scaling_factor", "false, with factors that are not 1")
    return present.reshape(-1, 1)


def _k(settings: Mapping[str, Any], path: Path) -> int:
    arguments = settings.get("activation_fn_kwargs")
    k = settings.get("k", arguments.get("k") if isinstance(arguments, dict) else None)
    if not isinstance(k, int) or isinstance(k, bool):
        raise _refusal(path, "k", k)
    return k


def _learned(metadata: Mapping[str, Any]) -> str:
    """Who learned a dictionary, and from what."""
    if _LEARNED in metadata:
        return told(str(metadata[_LEARNED]))
    version, hook = metadata.get("sae_lens_training_version") or metadata.get("sae_lens_version"), "hook_name"
    parts = [f"SAELens {version}" if version else "SAELens"]
    said = {"of": metadata.get(hook), "in": metadata.get("model_name"), "over": metadata.get("dataset_path")}
    return told(", ".join([*parts, *(f"{word} {value}" for word, value in said.items() if value)]))


def _refusal(path: Path, option: str, value: object) -> NetworkError:
    return NetworkError(
        f"{path} says {option}: {str(value)[:60]}, which is not computed here; learn one with relu, topk or jumprelu, "
        "an encoder and a decoder"
    )
