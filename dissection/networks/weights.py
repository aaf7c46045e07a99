"""Reads weights as data, without running code that a file may hold, and loads them if they fit.

A pickle can run any program when it is opened, so only safetensors and files that ``torch.load(weights_only=True)``
accepts are read.
"""

from __future__ import annotations

import math
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.parameter import is_lazy

from dissection.errors import NoteWarning, WeightsError

from .checkpoint_claims import damaged, refuse_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "params", "module")
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged)(_|$)")
"""Keys of averaged weights in a checkpoint: ``state_dict_ema``, ``model_ema``, ``params_ema``, ``swa_state_dict``."""
_EMA = ("ema_model.", "averaged_model.")
_PARALLEL, _COMPILED = "module.", "_orig_mod."
_DEEP = 8
"""Mappings in mappings, at most, around a state dict."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A weights file, and which weights of it: ``ema`` takes the averaged ones of a checkpoint that holds both."""

    path: Path
    ema: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def __str__(self) -> str:
        return str(self.path)


def read_weights(file: WeightsFile | Path | str) -> dict[str, Tensor]:
    """A file's tensors by name, on the CPU.

    Understands safetensors and ``torch.save``, a state dict wrapped in a checkpoint, and the prefixes of
    ``DataParallel`` and ``torch.compile``. Warns if averaged weights (EMA) are left out.

    Raises:
        WeightsError: if the file is missing, damaged, foreign, claims more than it holds, or holds code; or if it has
            no averaged weights and they are requested.
    """
    file = file if isinstance(file, WeightsFile) else WeightsFile(Path(file))
    path = file.path
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; give the path of a .safetensors file or a saved state dict")
    content = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    return own_names(state_dict(content, file))


def row_count(state: Mapping[str, Tensor], name: str) -> int | None:
    """Rows of a state's tensor, as many as a last layer has classes; ``None`` if there is none, or it has no rows."""
    tensor = state.get(name)
    return None if tensor is None or not tensor.ndim else len(tensor)


def fit(module: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Load a state dict into a module, or leave the module untouched.

    ``where`` names the origin of the weights in errors. A BatchNorm's batch counter may be missing.

    Raises:
        WeightsError: if names, shapes or kinds differ (integers for floats), or a value is a NaN or an infinity.
    """
    current = module.state_dict()
    tensors = {name for name, value in current.items() if isinstance(value, Tensor)}
    missing = [name for name in current if name in tensors - state.keys() and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in current]
    misshapen = [
        f"{name} {_shape(state[name])} instead of {_shape(current[name])}"
        for name in current
        if name in tensors & state.keys() and not _has_shape(current[name], state[name])
    ]
    fitting = [name for name in current if name in tensors & state.keys() and _has_shape(current[name], state[name])]
    strange = [name for name in fitting if not _is_alike(name, state[name], current[name])]
    unusable = [name for name in fitting if name not in strange and not _is_usable(state[name], current[name])]
    other = [f"{name} {_kind(state[name])} instead of {_kind(current[name])}" for name in strange]
    problems = [
        _listed(missing, "missing"),
        _listed(unexpected, "unexpected"),
        _listed(misshapen, "misshapen"),
        _listed(other, "of another kind"),
        _listed(unusable, "with a NaN or an infinity"),
    ]
    if any(problems):
        kind = type(module).__name__
        raise WeightsError(
            f"weights of {where} do not fit {kind}: {', '.join(filter(None, problems))}; give weights that "
            "were saved of it"
        )
    module.load_state_dict({name: state.get(name, value) for name, value in current.items()})


def is_finite(tensor: Tensor) -> bool:
    """Whether a tensor has neither a NaN nor an infinity."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return all(math.isfinite(extreme) for extreme in torch.aminmax(tensor.detach().float()))


def _has_shape(tensor: Tensor, loaded: Tensor) -> bool:
    """Whether a tensor has another's shape, or will take it, since it has none yet."""
    return is_lazy(tensor) or tensor.shape == loaded.shape


def _is_usable(tensor: Tensor, current: Tensor) -> bool:
    """Whether a tensor is finite except where the network itself is not, as a mask may be."""
    if is_finite(tensor) or tensor.device != current.device:
        return is_finite(tensor)
    odd = ~tensor.float().isfinite()
    return bool(tensor.float()[odd].isclose(current.float()[odd], equal_nan=True).all())


def _is_alike(name: str, tensor: Tensor, current: Tensor) -> bool:
    """Whether a tensor is of the network's kind: floats, complex numbers, or whole ones; counters may be floats."""
    return _kind(tensor) == _kind(current) or name.endswith("num_batches_tracked")


def _kind(tensor: Tensor) -> str:
    if tensor.is_floating_point():
        return "floats"
    return "complex numbers" if tensor.is_complex() else "whole numbers"


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript program: an archive with constants and code."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: a length of 8 bytes, then a JSON object of that length."""
    with path.open("rb") as file:
        start = file.read(9)
    return path.suffix == ".safetensors" or (len(start) == 9 and start[8:] == b"{" and start[:2] != b"PK")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # not only SafetensorError: what is in the header reaches torch
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"{path} is not a complete safetensors file ({reason}); fetch it again") from error


def _read_torch(path: Path) -> object:
    if not is_torchscript(path):
        refuse_claims(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> WeightsError:
    reason = str(error)
    if "TorchScript" in reason:
        return WeightsError(
            f"{path} is a TorchScript program, which is refused; load it in the program that made it and save only its "
            "weights: safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
        )
    convert = f"take out its weights without running it: neuronexplain weights convert {path} NEW.safetensors"
    if code := re.search(r"GLOBAL ([\w.]+)", reason):
        return WeightsError(
            f"{path} holds code ({code[1]}), which is refused: opening it could run anything; {convert}"
        )
    with path.open("rb") as file:
        is_pickle = file.read(1) in {b"\x80", b"P"}
    if isinstance(error, pickle.UnpicklingError) and is_pickle:
        return WeightsError(f"{path} is a pickle of something other than weights, which is refused; {convert}")
    return damaged(path, error)


def state_dict(
    content: object, file: WeightsFile, opened: Callable[[object], object] = lambda content: content
) -> dict[str, Tensor]:
    """The mapping from names to tensors in a checkpoint.

    Args:
        content: what was saved.
        file: where; whether it is the averaged weights that are requested.
        opened: makes a mapping of what is saved as something else.
    """
    content = opened(content)
    if file.ema:
        content = opened(_averaged(content, file.path))
    elif isinstance(content, Mapping) and (keys := _averaged_keys(content)):
        message = f"{file.path} also holds averaged weights ({keys[0]}), and the others were taken; --ema takes those"
        warnings.warn(message, NoteWarning, stacklevel=2)
    for _ in range(_DEEP):
        if not isinstance(content, Mapping):
            break
        inner = (opened(content[key]) for key in _WRAPPERS if key in content)
        if (wrapped := next((value for value in inner if isinstance(value, Mapping)), None)) is None:
            return _tensors(content, file.path)
        content = wrapped
    what = "mappings without end" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    raise WeightsError(f"{file.path} holds no state dict, only {what}; save model.state_dict()")


def _averaged_keys(content: Mapping[Any, object]) -> list[str]:
    return [
        key
        for key, value in content.items()
        if isinstance(key, str) and _AVERAGED.search(key) and not isinstance(value, Tensor | float | int | str | None)
    ]


def _averaged(content: object, path: Path) -> object:
    keys = _averaged_keys(content) if isinstance(content, Mapping) else []
    if not keys or not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no averaged weights (nothing in it is called ema); leave out --ema")
    return content[keys[0]]


def _tensors(content: Mapping[Any, object], path: Path) -> dict[str, Tensor]:
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        keys = ", ".join(str(key)[:40] for key in list(content)[:4]) or "nothing in it"
        raise WeightsError(f"{path} holds no state dict, only a mapping with {keys}; save model.state_dict()")
    return tensors


def own_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as the network itself has them, without the prefixes of wrappers around it."""
    for averaged in _EMA:  # of ema-pytorch, which also keeps the raw ones and counters there
        if any(name.startswith(averaged) for name in state):
            state = {name.removeprefix(averaged): state[name] for name in state if name.startswith(averaged)}
    state = {name.replace(_COMPILED, ""): value for name, value in state.items() if name != "n_averaged"}
    while state and all(name.startswith(_PARALLEL) for name in state):
        state = {name.removeprefix(_PARALLEL): value for name, value in state.items()}
    return state


def _listed(names: Sequence[str], problem: str) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > 3 else ""
    return f"{len(names)} {problem} ({', '.join(names[:3])}{more})"


def _shape(tensor: Any) -> str:  # noqa: ANN401 -- a state dict's extra state can be anything
    return "x".join(map(str, tensor.shape)) or "scalar"
