"""Classes as people name them: one to explain, two to compare, what photographs show, and other targets.

What is no class is a ``TypeError`` of one sentence, and a class that the network lacks a :class:`ClassNotFoundError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import torch
from torch import Tensor

from dissection.errors import ClassNotFoundError, NetworkError, not_taken

from .classes import find_class

if TYPE_CHECKING:
    from jaxtyping import Int64

    from dissection.networks.network import Network

ClassLike: TypeAlias = str | SupportsIndex
"""A class, by label, synonym or index."""

ClassPair: TypeAlias = tuple[ClassLike, ClassLike] | list[str] | list[int]
"""Two classes to compare."""

TrueClassLike: TypeAlias = ClassLike | Sequence[ClassLike | None] | np.ndarray | Tensor
"""The class that all photographs show; or for each the class that it shows, ``None`` where that is not known."""

TargetLike: TypeAlias = ClassLike | Tensor | Sequence[ClassLike] | Callable[[Any], Tensor]
"""What is explained: a class, a class for each image, or a callable, see :mod:`neuronexplain.methods.targets`."""


def class_of(target: object, labels: Sequence[str], argument: str = "target") -> int:
    """The index of a class.

    Raises:
        ClassNotFoundError: if there is no such class.
        TypeError: if it is neither a name nor an index; the message calls it ``argument``.
    """
    if isinstance(target, str):
        return find_class(labels, target)
    if isinstance(target, SupportsIndex) and not _is_truth_or_many(target):
        number = target.__index__()
        if 0 <= number < len(labels):
            return number
        raise ClassNotFoundError(f"there is no class {number}; choose one of its {len(labels)} classes, counted from 0")
    raise not_taken(argument, target, "a class, by label or index")


def pair_of(targets: object, labels: Sequence[str]) -> tuple[int, int]:
    """The indices of two classes that are to be compared.

    Raises:
        ClassNotFoundError: if the network lacks one of them, or both are the same.
        TypeError: if they are not two classes.
    """
    if not (isinstance(targets, list | tuple) and len(targets) == 2):
        raise not_taken("target", targets, "a class, by label or index, or two of them to compare")
    first, second = (class_of(target, labels) for target in targets)
    if first == second:
        raise ClassNotFoundError(f"both targets are class {first}, {labels[first]}; name two classes to compare")
    return first, second


def classes_of(target: object, labels: Sequence[str]) -> tuple[int, ...]:
    """The indices of what is explained: none for the class that is predicted, one, or two to compare.

    Raises:
        ClassNotFoundError: if the network lacks one of them, or both are the same.
        TypeError: if it is nothing of all that.
    """
    if target is None:
        return ()
    return pair_of(target, labels) if isinstance(target, list | tuple) else (class_of(target, labels),)


def true_classes_of(true_class: TrueClassLike | None, labels: Sequence[str], photographs: int) -> list[int | None]:
    """For each photograph the index of the class that it shows; ``None`` where that is not known.

    Raises:
        ClassNotFoundError: if there is no such class.
        TypeError: if it is no class, nor one for each photograph.
    """
    listed = true_class.tolist() if isinstance(true_class, Tensor | np.ndarray) and true_class.ndim else true_class
    if not isinstance(listed, list | tuple):
        return [_known(listed, labels)] * photographs
    if len(listed) != photographs:
        raise not_taken("true_class", true_class, f"one class for all photographs, or {photographs}, one for each")
    return [_known(label, labels) for label in listed]


def targets_of(target: TargetLike, network: Network) -> int | Int64[Tensor, " images"] | Callable[[Any], Tensor]:
    """What is explained, with classes by their indices.

    Raises:
        ClassNotFoundError: if there is no such class.
        NetworkError: if a class is named, and the network has none.
        TypeError: if it is no target.
    """
    if isinstance(target, Tensor | np.ndarray) and target.ndim:
        values = torch.as_tensor(target)
        if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
            raise not_taken("target", target, "indices of classes as integers")
        return values
    if isinstance(target, list | tuple):
        return torch.tensor([_class_of(entry, network) for entry in target])
    if callable(target) and not isinstance(target, type):
        return target
    return _class_of(target, network)


def _known(true_class: object, labels: Sequence[str]) -> int | None:
    return None if true_class is None else class_of(true_class, labels, "true_class")


def _class_of(target: object, network: Network) -> int:
    if isinstance(target, str) and not network.classes:
        raise NetworkError(
            f"{network.name} has no classes, and {target!r} names one; give a callable, see neuronexplain.methods"
        )
    if not isinstance(target, str) and isinstance(target, SupportsIndex) and not _is_truth_or_many(target):
        return target.__index__()
    return class_of(target, network.classes)


def _is_truth_or_many(target: object) -> bool:
    """Whether something with an index is not meant as one: a truth value, or an array that holds no single integer."""
    if isinstance(target, Tensor):
        return target.numel() != 1 or target.is_floating_point() or target.dtype == torch.bool
    if isinstance(target, np.ndarray):
        return target.size != 1 or not np.issubdtype(target.dtype, np.integer)
    return isinstance(target, bool)
