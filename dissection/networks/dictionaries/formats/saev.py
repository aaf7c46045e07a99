"""The files of ``saev`` (OSU NLP group): a line of JSON, and behind it a state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dissection.errors import NetworkError
from dissection.files.leftovers import temporary_folder
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.networks.weights import read_weights

from .parts import NamedTensors, after_subtraction, settings_in, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dissection.networks.dictionaries.dictionary import Activation

FILE = "sae.pt"
_LONGEST_LINE = 1 << 20

_ACTIVATIONS: Mapping[str, Activation] = {"Relu": "relu", "TopK": "signed-topk"}


def read_saev(folder: Path) -> Dictionary:
    """The dictionary in a folder.

    Of files without a schema the decoder's bias is subtracted first; of those of schema 2 it is not. Schema 1 stands
    for two formats, and a BatchTopK keeps another number of features of each image in each batch: both are refused.

    Raises:
        NetworkError: if it is of a schema, or has an activation, that is not computed here.
        WeightsError: if its tensors cannot be read.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            settings = settings_in(file.readline(_LONGEST_LINE), path)
            rest = file.read()
    except OSError as error:
        raise NetworkError(f"cannot read {path} ({error.strerror or error}); name the dictionary's folder") from error
    schema = settings.get("schema")
    if schema not in {None, 2}:
        raise NetworkError(f"{path} says schema: {str(schema)[:60]}, which is not read here; write it with saev anew")
    activation, k = _activation(settings, path)
    tensors = NamedTensors(_state(rest), path)
    encoder = tensors.take("W_enc", None, None)
    units, features = encoder.shape
    bias, decoder, offset = (
        tensors.take("b_enc", features),
        tensors.take("W_dec", features, units),
        tensors.take("b_dec", units),
    )
    tensors.end()
    if schema is None:
        bias = after_subtraction(bias, encoder, offset)
    version = settings.get("lib")
    learned = told(f"saev {version}" if version else "saev")
    return Dictionary(encoder, bias, decoder, offset, activation, k, learned=learned)


def _activation(settings: Mapping[str, Any], path: Path) -> tuple[Activation, int]:
    if settings.get("schema") is None:
        return "relu", 0
    config = settings.get("cfg")
    activation = config.get("activation") if isinstance(config, dict) else None
    kind = str(activation.get("cls")) if isinstance(activation, dict) else ""
    if not isinstance(activation, dict) or kind not in _ACTIVATIONS:
        raise NetworkError(
            f"{path} says activation: {kind[:60]}, which is not computed here; learn one with Relu or TopK"
        )
    parameters = activation.get("params")
    k = parameters.get("top_k") if isinstance(parameters, dict) else None
    if kind == "TopK" and (not isinstance(k, int) or isinstance(k, bool)):
        raise NetworkError(f"{path} says top_k: {str(k)[:60]}; the number of features of a place is needed")
    return _ACTIVATIONS[kind], k if isinstance(k, int) and kind == "TopK" else 0


def _state(content: bytes) -> Mapping[str, Any]:
    """A state dict that does not begin where its file does, read as any weights are."""
    with temporary_folder() as folder:
        file = folder / FILE
        file.write_bytes(content)
        return read_weights(file)
