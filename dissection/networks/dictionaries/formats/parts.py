"""What all formats of dictionaries need: settings in JSON, tensors by name, and ways to fold options into tensors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import NetworkError, WeightsError
from dissection.networks.precision import widened
from dissection.networks.weights import is_finite
from dissection.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jaxtyping import Float
    from torch import Tensor

_LONGEST = 300
"""Characters of what a folder says of who learned it."""


def read_settings(path: Path) -> dict[str, Any]:
    """A JSON object in a file.

    Raises:
        NetworkError: if there is none.
    """
    try:
        return settings_in(path.read_bytes(), path)
    except OSError as error:
        raise NetworkError(f"cannot read {path} ({error.strerror or error}); name the dictionary's folder") from error


def settings_in(text: bytes, path: Path) -> dict[str, Any]:
    """A JSON object that was read from a file.

    Raises:
        NetworkError: if it is none.
    """
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise NetworkError(f"{path} is not JSON ({str(error)[:100]}); fetch the dictionary again") from error
    if not isinstance(settings, dict):
        raise NetworkError(f"{path} holds no JSON object; fetch the dictionary again")
    return settings


class NamedTensors:
    """The tensors of a file, each of which is taken once: one that nobody takes would change what is computed.

    Args:
        tensors: by name.
        path: the file.
    """

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        self._tensors = dict(tensors)
        self._path = path

    def take(self, name: str, *shape: int | None) -> Tensor:
        """A tensor of real numbers, in single precision at least.

        Args:
            name: its name.
            shape: the lengths of its axes; ``None`` where any will do.

        Raises:
            WeightsError: if there is none, or it is of another shape, or holds a NaN or an infinity.
        """
        tensor = self.find(name)
        if tensor is None:
            raise WeightsError(f"{self._path} holds no tensor {name!r}; fetch the dictionary again")
        if tensor.ndim != len(shape) or any(
            length not in {None, actual} for length, actual in zip(shape, tensor.shape, strict=True)
        ):
            needed = " x ".join("any" if length is None else str(length) for length in shape) or "a number"
            raise WeightsError(
                f"{name!r} in {self._path} is of shape {tuple(tensor.shape)}; {needed} is needed; fetch it again"
            )
        return tensor

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def find(self, name: str) -> Tensor | None:
        """As :meth:`take`; ``None`` if there is none."""
        tensor = self._tensors.pop(name, None)
        if tensor is None:
            return None
        if not tensor.is_floating_point() or not is_finite(tensor):
            raise WeightsError(f"{name!r} in {self._path} holds other than finite real numbers; learn it again")
        return widened(tensor)

    def leave(self, *names: str) -> None:
        """Pass over tensors that change nothing."""
        for name in names:
            self._tensors.pop(name, None)

    def end(self) -> None:
        """Check that all were taken.

        Raises:
            WeightsError: if not.
        """
        if self._tensors:
            names = ", ".join(sorted(self._tensors)[:4])
            raise WeightsError(
                f"{self._path} also holds {names}, of which nothing is known; learn a dictionary without them"
            )


def after_subtraction(
    bias: Float[Tensor, " features"], encoder: Float[Tensor, "units features"], subtracted: Float[Tensor, " units"]
) -> Float[Tensor, " features"]:
    """The bias of a dictionary that encodes a map less a constant, as one that encodes the map itself."""
    return (bias.double() - subtracted.double() @ encoder.double()).to(bias.dtype)


def norms(decoder: Float[Tensor, "features units"]) -> Float[Tensor, " features"]:
    """The length of each feature's direction; 1 where it has none."""
    lengths = torch.linalg.vector_norm(decoder, dim=1)
    return torch.where(lengths > 0, lengths, torch.ones_like(lengths))


def gated(
    encoder: Float[Tensor, "units features"],
    gate: Float[Tensor, " features"],
    magnitude: Float[Tensor, " features"],
    log_scale: Float[Tensor, " features"],
) -> tuple[Float[Tensor, "units features"], Float[Tensor, " features"], Float[Tensor, " features"]]:
    """Encoder, bias and thresholds of the jumprelu that a gated dictionary is.

    The gate ``u + gate > 0`` and the magnitude ``m = exp(log_scale) u + magnitude`` share ``u = A encoder``: it is open
    where ``m`` exceeds ``magnitude - exp(log_scale) gate``.
    """
    scale = log_scale.exp()
    return encoder * scale, magnitude, magnitude - scale * gate


def told(text: str) -> str:
    """What a folder says, fit to be shown."""
    return visible(" ".join(text.split()))[:_LONGEST]
