"""Takes the weights out of pickles that are otherwise refused, without running the code in them.

A pickle is a program that names functions to call. Here it gets only those that make tensors and ordered dictionaries;
any other name stands for a thing that keeps its state and does nothing. So the tensors of a whole pickled model, or of
a checkpoint with an optimizer's state, can be read: those that the model's ``state_dict()`` would hold. None of a
model's code is needed or run.
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor, _utils

from dissection.errors import OutputError, WeightsError
from dissection.files.atomic import replace_file
from dissection.files.leftovers import sweep

from .checkpoint_claims import STORAGES, refuse_claims
from .inert_pickles import InertUnpickler, Thing
from .weights import WeightsFile, is_torchscript, own_names, state_dict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DEEPEST = 500
"""Modules in modules: more than any network has."""

_LARGER = 8
"""How much larger than its file the tensors may be, some of which may share their values."""


def _parameter(data: object, *_state: object) -> object:
    """A parameter as its tensor, without attributes and hooks."""
    return data


def _subclassed(rebuild: object, _kind: object, arguments: object, _state: object) -> object:
    """A tensor that has attributes, or is of a subclass, as a plain one."""
    known = rebuild in _TENSORS.values() and isinstance(arguments, tuple)
    return rebuild(*arguments) if known and callable(rebuild) and isinstance(arguments, tuple) else Thing()


_TENSORS: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _utils._rebuild_tensor,  # noqa: SLF001 -- the functions that torch.save names
    ("torch._utils", "_rebuild_tensor_v2"): _utils._rebuild_tensor_v2,  # noqa: SLF001
    ("torch._utils", "_rebuild_tensor_v3"): _utils._rebuild_tensor_v3,  # noqa: SLF001
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _subclassed,
}
_PLAIN: Mapping[tuple[str, str], Any] = {
    ("torch", "Size"): torch.Size,
    ("torch.storage", "UntypedStorage"): torch.UntypedStorage,
}


def convert_pickle(source: Path, target: Path, *, ema: bool = False) -> int:
    """Write the tensors of a checkpoint as safetensors; returns their number.

    Args:
        source: the checkpoint.
        target: the file to write.
        ema: whether to take the averaged weights of a checkpoint that holds both.

    Raises:
        WeightsError: if the file is not a checkpoint, or holds no weights.
        OutputError: if the target already exists, or cannot be written.
    """
    sweep(target.absolute().parent)
    if target.exists():
        raise OutputError(f"{target} already exists; remove it, or name another file")
    state = read_legacy(WeightsFile(source, ema))
    stored = source.stat().st_size
    if (size := sum(value.numel() * value.element_size() for value in state.values())) > _LARGER * stored:
        raise WeightsError(
            f"{source} holds {stored} bytes, and its tensors {size}, since they share their values; save them with "
            ".clone(), if they are meant to be that large"
        )
    try:
        content = save({name: value.clone().contiguous() for name, value in state.items()})
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{source} holds tensors that safetensors cannot hold ({reason}); save dense tensors of numbers"
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, content)
    return len(state)


def read_legacy(file: WeightsFile) -> dict[str, Tensor]:
    """A checkpoint's tensors by name, whatever else it holds; for a whole model, those of its ``state_dict()``.

    Raises:
        WeightsError: if the file is not a checkpoint, is damaged or hostile, or holds no weights.
    """
    path = file.path
    if not path.is_file():
        raise WeightsError(f"no file {path}; give a checkpoint that torch.save wrote")
    if is_torchscript(path) or _is_tar(path):
        raise WeightsError(f"{path} is an archive of another kind; give a checkpoint that torch.save wrote")
    refuse_claims(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Harmless)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: {reason}); fetch it again"
        ) from error
    return own_names(state_dict(content, file, lambda value: _opened(value, path)))


def _is_tar(path: Path) -> bool:
    """Whether a file is a tar, as torch wrote before 2017; only its first header is read."""
    with path.open("rb") as file:
        return file.read(512)[257:262] == b"ustar"


class _Unpickler(InertUnpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 -- a function, or the thing that stands for one
        known = _TENSORS.get((module, name)) or _PLAIN.get((module, name))
        if known is not None:
            return known
        if module == "torch" and (name in STORAGES or isinstance(getattr(torch, name, None), torch.dtype)):
            return getattr(torch, name)
        return super().find_class(module, name)


def _load(file: Any, **options: Any) -> object:  # noqa: ANN401 -- torch's
    return _Unpickler(file, **options).load()


_Harmless = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="harmless")


def _opened(content: object, path: Path) -> object:
    """The state dict of a whole model; anything else as it is."""
    return dict(_weights(content, path)) if isinstance(content, Thing) else content


def _weights(model: Thing, path: Path) -> Iterator[tuple[str, Tensor]]:
    """Parameters and persistent buffers of a pickled module and of its submodules, in the order of ``state_dict()``."""
    waiting: list[tuple[str, object, int]] = [("", model, 0)]
    most = path.stat().st_size  # a name takes a byte, so there are fewer modules
    while waiting:
        prefix, part, depth = waiting.pop()
        most -= 1
        if depth > _DEEPEST or not most:
            raise WeightsError(f"{path} holds a module that holds itself, or modules without end; do not trust it")
        state = part.state if isinstance(part, Thing) and isinstance(part.state, dict) else {}
        transient = state.get("_non_persistent_buffers_set") or ()
        for kind in ("_parameters", "_buffers"):
            for name, value in _items(state, kind):
                if kind == "_buffers" and isinstance(transient, set | frozenset | tuple) and name in transient:
                    continue
                if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized:
                    yield f"{prefix}{name}", value.detach()
                elif value is not None:
                    raise WeightsError(f"{path}: {prefix}{name} is no plain tensor; save model.state_dict() instead")
        children = [(f"{prefix}{name}.", child, depth + 1) for name, child in _items(state, "_modules")]
        waiting.extend(reversed(children))


def _items(state: Mapping[Any, object], kind: str) -> list[tuple[Any, object]]:
    named = state.get(kind)
    return list(named.items()) if isinstance(named, dict) else []
