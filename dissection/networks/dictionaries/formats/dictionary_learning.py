"""The folders of ``dictionary_learning`` (saprmarks): ``config.json`` and ``ae.pt``, a state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dissection.errors import NetworkError
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.weights import read_weights

from .parts import NamedTensors, after_subtraction, gated, norms, read_settings, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

CONFIG, STATE = "config.json", "ae.pt"


def read_dictionary_learning(folder: Path) -> Dictionary:
    """The dictionary in a folder.

    Raises:
        NetworkError: if it is of a class that is not known here.
        WeightsError: if its tensors cannot be read, or are others than its class has.
    """
    path = folder / CONFIG
    trainer = read_settings(path).get("trainer")
    settings = trainer if isinstance(trainer, dict) else {}
    kind = str(settings.get("dict_class"))
    if kind not in _KINDS:
        raise NetworkError(
            f"{path} says dict_class: {kind[:60]}, which is not known here; learn one of {', '.join(_KINDS)}"
        )
    tensors = NamedTensors(read_weights(folder / STATE), folder / STATE)
    dictionary = _KINDS[kind](tensors, settings, path)
    tensors.end()
    return dictionary


def _plain(tensors: NamedTensors, settings: Mapping[str, Any], _path: Path) -> Dictionary:
    """Features are made as great as if their directions had the length 1, as the library does when it loads them."""
    encoder, bias, decoder = _linear(tensors)
    offset = tensors.take("bias", len(encoder))
    lengths = norms(decoder)
    bias = after_subtraction(bias, encoder, offset)
    return Dictionary(
        (encoder * lengths).contiguous(),
        bias * lengths,
        (decoder / lengths[:, None]).contiguous(),
        offset,
        learned=_learned(settings),
    )


def _with_decoder_bias(tensors: NamedTensors, settings: Mapping[str, Any], _path: Path) -> Dictionary:
    encoder, bias, decoder = _linear(tensors)
    offset = tensors.take("decoder.bias", len(encoder))
    return Dictionary(encoder, bias, decoder, offset, learned=_learned(settings))


def _gated(tensors: NamedTensors, settings: Mapping[str, Any], _path: Path) -> Dictionary:
    shared = tensors.take("encoder.weight", None, None).T
    units, features = shared.shape
    decoder = tensors.take("decoder.weight", units, features).T.contiguous()
    offset = tensors.take("decoder_bias", units)
    gate, magnitude, log_scale = (tensors.take(name, features) for name in ("gate_bias", "mag_bias", "r_mag"))
    encoder, bias, thresholds = gated(shared, gate, magnitude, log_scale)
    return Dictionary(
        encoder.contiguous(),
        after_subtraction(bias, encoder, offset),
        decoder,
        offset,
        "jumprelu",
        thresholds=thresholds,
        learned=_learned(settings),
    )


def _topk(tensors: NamedTensors, settings: Mapping[str, Any], path: Path) -> Dictionary:
    encoder, bias, decoder = _linear(tensors)
    offset, k = tensors.take("b_dec", len(encoder)), settings.get("k")
    if not isinstance(k, int) or isinstance(k, bool):
        raise NetworkError(f"{path} says k: {str(k)[:60]}; the number of features of a place is needed")
    tensors.leave("k", "threshold")  # which its encoding ignores
    return Dictionary(
        encoder,
        after_subtraction(bias, encoder, offset),
        decoder,
        offset,
        "topk",
        k,
        learned=_learned(settings),
    )


def _batch_topk(tensors: NamedTensors, settings: Mapping[str, Any], path: Path) -> Dictionary:
    encoder, bias, decoder = _linear(tensors)
    offset = tensors.take("b_dec", len(encoder))
    tensors.leave("k", "group_sizes")
    return _above(_one_threshold(tensors, path), (encoder, bias, decoder, offset), settings)


def _matryoshka(tensors: NamedTensors, settings: Mapping[str, Any], path: Path) -> Dictionary:
    encoder, bias, decoder, offset = _matrices(tensors)
    tensors.leave("k", "group_sizes", "active_groups")
    return _above(_one_threshold(tensors, path), (encoder, bias, decoder, offset), settings)


def _above(
    threshold: Tensor, matrices: tuple[Tensor, Tensor, Tensor, Tensor], settings: Mapping[str, Any]
) -> Dictionary:
    """Features that are there where they exceed one threshold, of encoder, bias, decoder and offset."""
    encoder, bias, decoder, offset = matrices
    return Dictionary(
        encoder,
        after_subtraction(bias, encoder, offset),
        decoder,
        offset,
        "jumprelu",
        thresholds=threshold.expand(bias.shape).contiguous(),
        learned=_learned(settings),
    )


def _jumprelu(tensors: NamedTensors, settings: Mapping[str, Any], _path: Path) -> Dictionary:
    encoder, bias, decoder, offset = _matrices(tensors)
    thresholds = tensors.take("threshold", len(bias))
    return Dictionary(encoder, bias, decoder, offset, "jumprelu", thresholds=thresholds, learned=_learned(settings))


_KINDS: Mapping[str, Callable[[NamedTensors, Mapping[str, Any], Path], Dictionary]] = {
    "AutoEncoder": _plain,
    "AutoEncoderNew": _with_decoder_bias,
    "GatedAutoEncoder": _gated,
    "AutoEncoderTopK": _topk,
    "BatchTopKSAE": _batch_topk,
    "MatryoshkaBatchTopKSAE": _matryoshka,
    "JumpReluAutoEncoder": _jumprelu,
}


def _linear(tensors: NamedTensors) -> tuple[Tensor, Tensor, Tensor]:
    """Encoder, bias and decoder of two linear layers."""
    encoder = tensors.take("encoder.weight", None, None).T.contiguous()
    units, features = encoder.shape
    decoder = tensors.take("decoder.weight", units, features).T.contiguous()
    return encoder, tensors.take("encoder.bias", features), decoder


def _matrices(tensors: NamedTensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Encoder, bias, decoder and offset, as parameters."""
    encoder = tensors.take("W_enc", None, None)
    units, features = encoder.shape
    bias, decoder = tensors.take("b_enc", features), tensors.take("W_dec", features, units)
    return encoder, bias, decoder, tensors.take("b_dec", units)


def _one_threshold(tensors: NamedTensors, path: Path) -> Tensor:
    """What all features must exceed; negative where the learner has not found it yet."""
    threshold = tensors.take("threshold")
    if float(threshold) < 0:
        raise NetworkError(f"{path} is of a dictionary whose threshold was not found yet; learn it to the end")
    return threshold


def _learned(settings: Mapping[str, Any]) -> str:
    layer, model = settings.get("submodule_name") or settings.get("layer"), settings.get("lm_name")
    said = {"of": layer, "in": model}
    return told(", ".join(["dictionary_learning", *(f"{word} {value}" for word, value in said.items() if value)]))
