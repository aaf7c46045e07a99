"""A dictionary: how the units of a map are made into features, and features into units again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional as F

from dissection.errors import NetworkError
from dissection.networks.body import content

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

Activation = Literal["relu", "topk", "signed-topk", "jumprelu"]
"""What becomes of a place's encoded units: the positive ones; of these the ``k`` greatest; the ``k`` greatest, be they
negative; or the positive ones that exceed a threshold of the feature."""


@dataclass(frozen=True, slots=True, eq=False)
class Dictionary:
    """Features of a layer: ``z = activation(A encoder + bias)`` and ``decode(z) = z decoder + offset``, place by place.

    Attributes:
        encoder: how much each unit excites each feature.
        bias: what each feature has without any unit.
        decoder: how much of each unit a feature stands for.
        offset: what each unit has without any feature.
        activation: what becomes of the encoded units.
        k: how many features a place has, of the activations that have such a number; 0 for the others.
        thresholds: what a feature must exceed, of ``jumprelu``.
        layer: the layer whose units these are, if whoever learned them says so.
        learned: who learned it, and from what, for people; empty if that is not known.
        folder: where it was read from, if it was.

    Raises:
        NetworkError: if the parts do not fit each other.
    """

    encoder: Float[Tensor, "units features"]
    bias: Float[Tensor, " features"]
    decoder: Float[Tensor, "features units"]
    offset: Float[Tensor, " units"]
    activation: Activation = "relu"
    k: int = 0
    thresholds: Float[Tensor, " features"] | None = None
    layer: str = ""
    learned: str = ""
    folder: str = ""

    def __post_init__(self) -> None:
        if self.encoder.ndim != 2:
            raise NetworkError(
                f"a dictionary's encoder has {self.encoder.ndim} axes; those of units and features needed"
            )
        units, features = self.encoder.shape
        shapes: dict[str, tuple[Tensor, tuple[int, ...]]] = {
            "bias": (self.bias, (features,)),
            "decoder": (self.decoder, (features, units)),
            "offset": (self.offset, (units,)),
        }
        if self.activation == "jumprelu":
            if self.thresholds is None:
                raise NetworkError("a dictionary with jumprelu has no thresholds; it needs one for each feature")
            shapes["thresholds"] = (self.thresholds, (features,))
        for name, (tensor, shape) in shapes.items():
            if tuple(tensor.shape) != shape:
                raise NetworkError(
                    f"the {name} of a dictionary of {units} units and {features} features is of shape "
                    f"{tuple(tensor.shape)}; {shape} is needed"
                )
        if self.activation in {"topk", "signed-topk"} and not 0 < self.k <= features:
            raise NetworkError(
                f"a dictionary keeps {self.k} of {features} features; k must be between 1 and {features}"
            )

    @property
    def units(self) -> int:
        """How many units it reads."""
        return self.encoder.shape[0]

    @property
    def features(self) -> int:
        """How many features it has."""
        return self.encoder.shape[1]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        names = ("encoder", "bias", "decoder", "offset", "thresholds")
        return {name: tensor for name in names if (tensor := getattr(self, name)) is not None}

    @property
    def digest(self) -> str:
        """sha256 over what it computes; where it comes from makes no difference."""
        digest = hashlib.sha256(f"{self.activation} {self.k}".encode())
        for name, tensor in self.tensors.items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(content(tensor))
        return digest.hexdigest()

    def encode(self, maps: Float[Tensor, "images units h w"]) -> Float[Tensor, "images features h w"]:
        """The features at each place, in the wider of the types of the maps and of the dictionary."""
        encoded = _mixed(maps, self.encoder, self.bias)
        match self.activation:
            case "relu":
                return encoded.relu()
            case "topk":
                return _greatest(encoded.relu(), self.k)
            case "signed-topk":
                return _greatest(encoded, self.k)
            case "jumprelu":
                assert self.thresholds is not None
                thresholds = self.thresholds.to(encoded)[:, None, None]
                return encoded.relu() * (encoded > thresholds)

    def decode(self, features: Float[Tensor, "images features h w"]) -> Float[Tensor, "images units h w"]:
        """The part of a map that features stand for."""
        return _mixed(features, self.decoder, self.offset)


def _mixed(
    maps: Float[Tensor, "images _ h w"], weights: Float[Tensor, "_ _"], bias: Float[Tensor, " _"]
) -> Float[Tensor, "images _ h w"]:
    """A linear map of each place."""
    dtype = torch.promote_types(maps.dtype, weights.dtype)
    kernel = weights.T[:, :, None, None].to(dtype)
    return F.conv2d(maps.to(dtype), kernel, bias.to(dtype))


def _greatest(maps: Float[Tensor, "images features h w"], k: int) -> Float[Tensor, "images features h w"]:
    """The ``k`` greatest features of each place; the others are 0."""
    values, features = maps.topk(k, dim=1)
    return torch.zeros_like(maps).scatter(1, features, values)
