"""Takes the weights out of pickles that are otherwise refused, without running the code in them.

A pickle is a program that names functions to call. Here it gets only those that make tensors and ordered dictionaries;
any other name stands for a thing that keeps its state and does nothing. So the tensors of a whole pickled model, or of
a checkpoint with an optimizer's state, can be read. None of a model's code is needed or run.
"""

from __future__ import annotations

import pickle
import tarfile
import warnings
from collections import OrderedDict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import torch
from safetensors.torch import save
from torch import Tensor

from dissection.errors import OutputError, WeightsError
from dissection.files.atomic import replace_file

from .weights import is_torchscript, own_names, state_dict

if TYPE_CHECKING:
    from pathlib import Path

_TENSORS = {
    "_rebuild_tensor": torch._utils._rebuild_tensor,  # noqa: SLF001 -- what torch.save names in its pickles
    "_rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,  # noqa: SLF001
    "_rebuild_parameter": torch._utils._rebuild_parameter,  # noqa: SLF001
}
_STORAGES = frozenset(
    f"{kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
)


def convert_pickle(source: Path, target: Path) -> int:
    """Write the tensors of a checkpoint as safetensors; returns their number.

    Raises:
        WeightsError: if the file is not a checkpoint, or holds no weights.
        OutputError: if the target already exists, or cannot be written.
    """
    if target.exists():
        raise OutputError(f"{target} already exists; remove it, or name another file")
    state = {name: value.clone().contiguous() for name, value in read_legacy(source).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, save(state))
    return len(state)


def read_legacy(path: Path) -> dict[str, Tensor]:
    """A checkpoint's tensors by name, whatever else it holds; for a whole model, its parameters and buffers.

    Raises:
        WeightsError: if the file is not a checkpoint, or holds no weights.
    """
    if not path.is_file():
        raise WeightsError(f"no file {path}; give a checkpoint that torch.save wrote")
    if is_torchscript(path) or tarfile.is_tarfile(path):
        raise WeightsError(f"{path} is an archive of another kind; give a checkpoint that torch.save wrote")
    try:
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=_Harmless)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path} cannot be read as a checkpoint ({type(error).__name__}: {reason}); fetch it again"
        ) from error
    return own_names(state_dict(_plain(content), path))


class _Thing:
    """Stands for anything that a pickle names: it takes any arguments, keeps its state, and does nothing."""

    dump_patches = False
    """torch reads it from a module's class in an old file, and compares sources if it is true."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        self.state: object = None

    def __call__(self, *_args: object, **_kwargs: object) -> _Thing:
        return _Thing()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def append(self, _value: object) -> None:
        """As a list's."""

    def extend(self, _values: object) -> None:
        """As a list's."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, **options: Any) -> None:  # noqa: ANN401 -- torch's
        super().__init__(file, **(options | {"encoding": "latin1"}))  # Python 2 wrote some of these files

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 -- a function, or the thing that stands for one
        if module == "torch._utils" and name in _TENSORS:
            return _TENSORS[name]
        if module == "torch" and name in _STORAGES:
            return getattr(torch, name)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return _Thing


def _load(file: Any, **options: Any) -> object:  # noqa: ANN401 -- torch's
    return _Unpickler(file, **options).load()


_Harmless = SimpleNamespace(Unpickler=_Unpickler, load=_load, __name__="harmless")


def _plain(content: object) -> object:
    """State dicts in place of whole models."""
    if isinstance(content, _Thing):
        return dict(_weights(content, ""))
    if isinstance(content, dict):
        return {name: _plain(value) for name, value in content.items()}
    return content


def _weights(part: object, prefix: str) -> list[tuple[str, Tensor]]:
    """Parameters and buffers of a pickled module and of its submodules."""
    state = part.state if isinstance(part, _Thing) and isinstance(part.state, dict) else {}
    weights = [
        (f"{prefix}{name}", value.data)
        for kind in ("_parameters", "_buffers")
        for name, value in dict(state.get(kind) or {}).items()
        if isinstance(value, Tensor)
    ]
    children = dict(state.get("_modules") or {}).items()
    return weights + [weight for name, child in children for weight in _weights(child, f"{prefix}{name}.")]
