"""What a network is made of, as users give it: a module, a preprocessing, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.export import ExportedProgram

from dissection.errors import NetworkError, not_taken

from .foreign_preprocessing import assumed_preprocessing, preprocessing_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .foreign_preprocessing import PreprocessingLike
    from .preprocessing import Preprocessing


def input_of(module: nn.Module, preprocessing: PreprocessingLike | None, name: str) -> tuple[Preprocessing, str]:
    """What a module expects of a photograph, and its name for people."""
    name = name or type(module).__name__
    return (assumed_preprocessing(module, name) if preprocessing is None else preprocessing_of(preprocessing)), name


def require_module(module: object) -> None:
    """Check that it is a module.

    Raises:
        TypeError: if it is none; the message says what to do.
    """
    if not isinstance(module, nn.Module):
        if isinstance(module, ExportedProgram):
            raise not_taken("module", module, "its .module()")
        if isinstance(module, str):
            raise not_taken("module", module, f"a torch.nn.Module, such as open_network({module!r}).module")
        raise not_taken("module", module, "a torch.nn.Module")


def labels_of(classes: Sequence[str], count: int, name: str) -> tuple[str, ...]:
    """As many labels as there are classes.

    Raises:
        NetworkError: if other labels are given.
    """
    if not classes:
        return tuple(f"class {index}" for index in range(count))
    if len(classes) == 1 and count == 2:
        return f"no {classes[0]}", classes[0]
    if len(classes) != count:
        raise NetworkError(f"{name} has {count} classes, but {len(classes)} labels are given; give one label per class")
    return tuple(classes)
