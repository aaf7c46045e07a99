"""Whether a network's alphas are the same for every image (Selvaraju et al. 2019, Sec. 3.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from dissection.networks.forward import forward_from

from .gradcam import alphas

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network

_PROBES = 4
_ACTIVE = 0.2
_TOLERANCE = 1e-4


def has_constant_alphas(network: Network) -> bool:
    """Whether the alphas of a class are the same for every image.

    So it is where pooling and one linear layer follow the tap: ``alpha_k = w_ck / Z`` (Sec. 3.1). Found out by giving
    the layers after the tap very unlike maps, in which few units are active, and comparing the alphas of all classes
    at once: of a sum of scores with random weights.
    """
    network, layer = replace(network, precision="float32"), network.layer
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(_PROBES, layer.units, layer.height, layer.width, generator=generator)
    maps *= torch.rand(_PROBES, layer.units, 1, 1, generator=generator) < _ACTIVE
    maps *= 10.0 ** torch.arange(_PROBES).view(-1, 1, 1, 1)
    weights = torch.randn(len(network.classes), generator=generator)
    return all(_agree(network, maps[:probes], weights) for probes in (2, _PROBES))  # two may do to tell them apart


def _agree(network: Network, maps: Float[Tensor, "images units h w"], weights: Float[Tensor, " classes"]) -> bool:
    result = forward_from(network, maps)
    found = alphas(result.scores @ weights.to(result.scores), result.activation)
    return bool((found - found[:1]).abs().max() <= _TOLERANCE * found.abs().max())
