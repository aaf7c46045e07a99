"""Reads weights as data, without running code that a file may hold, and loads them if they fit.

A pickle can run any program when it is opened, so only safetensors and files that ``torch.load(weights_only=True)``
accepts are read.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dissection.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
_PARALLEL, _COMPILED = "module.", "_orig_mod."


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """A file's tensors by name, on the CPU.

    Understands safetensors and ``torch.save``, a state dict wrapped in a checkpoint, and the prefixes of
    ``DataParallel`` and ``torch.compile``.

    Raises:
        WeightsError: if the file is missing, truncated, foreign, or holds code.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; give the path of a .safetensors file or a saved state dict")
    content = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    return own_names(state_dict(content, path))


def fit(module: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Load a state dict into a module, or leave the module untouched.

    ``where`` names the origin of the weights in errors. A BatchNorm's batch counter may be missing.

    Raises:
        WeightsError: if names or shapes differ.
    """
    current = module.state_dict()
    tensors = {name for name, value in current.items() if isinstance(value, Tensor)}
    missing = [name for name in current if name in tensors - state.keys() and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in current]
    misshapen = [
        f"{name} {_shape(state[name])} instead of {_shape(current[name])}"
        for name in current
        if name in tensors & state.keys() and current[name].shape != state[name].shape
    ]
    problems = [_listed(missing, "missing"), _listed(unexpected, "unexpected"), _listed(misshapen, "misshapen")]
    if any(problems):
        kind = type(module).__name__
        raise WeightsError(f"weights of {where} do not fit {kind}: {'; '.join(filter(None, problems))}")
    module.load_state_dict({name: state.get(name, value) for name, value in current.items()})


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript program: an archive with constants and code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: a length of 8 bytes, then a JSON object of that length."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == ".safetensors" or (len(start) == 9 and start[8:] == b"{" and start[:2] != b"PK")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is not a complete safetensors file ({error}); fetch it again") from error


def _read_torch(path: Path) -> object:
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(_refusal(path, error)) from error


def _refusal(path: Path, error: Exception) -> str:
    reason = str(error)
    if "TorchScript" in reason:
        return (
            f"{path} is a TorchScript program, which is refused; load it in the program that made it and save only its "
            "weights: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
        )
    convert = f"to take out its weights without running it: neuronexplain weights convert {path} NEW.safetensors"
    if code := re.search(r"GLOBAL ([\w.]+)", reason):
        return f"{path} holds code ({code[1]}), which is refused: opening it could run anything; {convert}"
    if isinstance(error, pickle.UnpicklingError):
        return f"{path} is a pickle of something other than weights, which is refused; {convert}"
    return f"{path} is cut short or of another kind ({type(error).__name__}); give safetensors or a saved state dict"


def state_dict(content: object, path: Path) -> dict[str, Tensor]:
    """The mapping from names to tensors in a checkpoint."""
    while isinstance(content, Mapping):
        if wrapped := [content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)]:
            content = wrapped[0]
            continue
        tensors = {
            name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)
        }
        if tensors:
            return tensors
        keys = ", ".join(map(str, list(content)[:4])) or "nothing in it"
        raise WeightsError(f"{path} holds no state dict, only a mapping with {keys}; save model.state_dict()")
    raise WeightsError(f"{path} holds no state dict, only a {type(content).__name__}; save model.state_dict()")


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as the network itself has them, without the prefixes of wrappers around it."""
    state = {name.replace(_COMPILED, ""): value for name, value in state.items()}
    while all(name.startswith(_PARALLEL) for name in state):
        state = {name.removeprefix(_PARALLEL): value for name, value in state.items()}
    return state


def _listed(names: Sequence[str], problem: str) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > 3 else ""
    return f"{len(names)} {problem} ({', '.join(names[:3])}{more})"


def _shape(tensor: Any) -> str:  # noqa: ANN401 -- a state dict's extra state can be anything
    return "x".join(map(str, tensor.shape)) or "scalar"
