"""A network that is read feature by feature: at a layer, its map is taken apart by a dictionary and put together again.

::

    z = features(encode(A))                    # a module of its own, which is tapped as any layer is
    A' = decode(z) + (A - decode(encode(A)))   # the residual is a constant of z, so that A' is A

The network's answers stay what they are, and what a score owes to a feature is what it owes to the feature's part of
``A``: ``dy/dz = decoder dy/dA``. Where other features are put in the place of ``z``, the residual stays. Gradients of
the image pass through ``A`` itself, as if there were no dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dissection.networks.tap import Cut, Tap
from dissection.vocabulary import DICTIONARY_AT, Layer

from .dictionary import Dictionary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from dissection.networks.map_layouts import Layout
    from dissection.networks.network_source import Source
    from dissection.networks.tap import Body

    from .dictionary import Activation

_NETWORK = "network"


@dataclass(frozen=True, slots=True, eq=False)
class AppliedDictionary:
    """A dictionary in a network, and what the network was tapped at without it.

    Attributes:
        dictionary: the dictionary.
        layer: the layer that it takes apart.
        layouts: by layer, how its map lies in its output, if that is unusual.
        body: fingerprint of what that layer's map is computed from, if that was found before.
        source: where the network comes from without the dictionary.
    """

    dictionary: Dictionary
    layer: Layer
    layouts: Mapping[str, Layout]
    body: str
    source: Source | None

    def module_of(self, module: nn.Module) -> nn.Module:
        """The module without the dictionary."""
        return module.get_submodule(_NETWORK)

    def cut(self, module: nn.Module, body: Body) -> Cut:
        """Taps the map that is put together from features, for one run of the module that has the dictionary."""
        inner = replace(self.layer, name=f"{_NETWORK}.{self.layer.name}")
        return Cut(module, inner, self.layouts.get(self.layer.name), body)


class Features(nn.Module):
    """Holds a dictionary's tensors, and passes features on: the place where they are tapped.

    Args:
        dictionary: the dictionary.
    """

    encoder: Tensor
    bias: Tensor
    decoder: Tensor
    offset: Tensor
    thresholds: Tensor | None

    def __init__(self, dictionary: Dictionary) -> None:
        super().__init__()
        self.activation_of_features: Activation = dictionary.activation
        self.features_at_a_place = dictionary.k or None
        self.register_buffer("thresholds", None)
        for name, tensor in dictionary.tensors.items():
            self.register_buffer(name, tensor.detach().clone())

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary, on the module's device."""
        return Dictionary(
            self.encoder,
            self.bias,
            self.decoder,
            self.offset,
            self.activation_of_features,
            self.features_at_a_place or 0,
            self.thresholds,
        )

    def forward(self, features: Float[Tensor, "images features h w"]) -> Float[Tensor, "images features h w"]:
        """The same features."""
        return features


class WithDictionary(nn.Module):
    """A module that puts the map of one of its layers together from features.

    Args:
        module: the module, which stays as it is.
        layer: the layer.
        layout: how the layer's map lies in its output, if that is unusual.
        dictionary: takes the map apart.
    """

    def __init__(self, module: nn.Module, layer: Layer, layout: Layout | None, dictionary: Dictionary) -> None:
        super().__init__()
        self.add_module(_NETWORK, module)
        self._layer = layer
        self._layout = layout
        *path, last = (DICTIONARY_AT + layer.name).split(".")
        holder: nn.Module = self
        for name in path:
            child = nn.Module()
            holder.add_module(name, child)
            holder = child
        holder.add_module(last, Features(dictionary))
        self.train(module.training)

    @property
    def inner(self) -> nn.Module:
        """The module without the dictionary."""
        return self.get_submodule(_NETWORK)

    @property
    def features(self) -> Features:
        """Where the features are tapped."""
        features = self.get_submodule(DICTIONARY_AT + self._layer.name)
        assert isinstance(features, Features)
        return features

    def forward(self, *arguments: object, **named: object) -> Any:  # noqa: ANN401 -- whatever the module gives
        """Run the module."""
        with _TakenApart(self.inner, self._layer, self._layout, self.features):
            return self.inner(*arguments, **named)


class _TakenApart(Tap):
    """A tap that hands on what a map's features are put together to."""

    def __init__(self, module: nn.Module, layer: Layer, layout: Layout | None, features: Features) -> None:
        super().__init__(module, layer, layout)
        self._features = features

    def _keep(self, output: Tensor) -> Tensor:
        dictionary = self._features.dictionary
        with torch.autocast(output.device.type, enabled=False):
            codes = dictionary.encode(output.detach())
            residual = output - dictionary.decode(codes)
            return dictionary.decode(self._features(codes)) + residual
