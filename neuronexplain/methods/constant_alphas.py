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
    from dissection.networks.preprocessing import Preprocessing

_PROBES = 4
_AT_ONCE = 2
_ACTIVE = 0.2
_UNLIKE = 2.0
_TOLERANCE = 1e-4


def has_constant_alphas(network: Network) -> bool:
    """Whether the alphas of a class are the same for every image.

    They are if pooling and one linear layer follow the tap: ``alpha_k = w_ck / Z`` (Sec. 3.1). To find out, the layers
    after the tap are given very different maps, in which few units are active, while what runs beside them sees very
    different images; the alphas of all classes are compared at once, as those of a randomly weighted sum of the scores.
    """
    network, layer = replace(network, precision="float32"), network.layer
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(_PROBES, layer.units, layer.height, layer.width, generator=generator)
    maps *= torch.rand(_PROBES, layer.units, 1, 1, generator=generator) < _ACTIVE
    maps *= 10.0 ** torch.arange(_PROBES).view(-1, 1, 1, 1)
    weights = torch.randn(len(network.classes), generator=generator)
    images = _unlike_images(network.preprocessing, generator)
    seen = maps.new_empty(0, layer.units)
    for start in range(0, _PROBES, _AT_ONCE):  # the first may suffice to tell them apart
        probes = slice(start, start + _AT_ONCE)
        seen = torch.cat([seen, _alphas(network, maps[probes], images[probes], weights)])
        if not (seen - seen[:1]).abs().max() <= _TOLERANCE * seen.abs().max():  # a NaN, of an overflow, shows nothing
            return False
    return True


def _unlike_images(preprocessing: Preprocessing, generator: torch.Generator) -> Float[Tensor, "images channels H W"]:
    """Noise around a different colour in each image."""
    channels, (height, width) = preprocessing.channels, preprocessing.size
    colours = torch.randn(_PROBES, channels, 1, 1, generator=generator)
    return _UNLIKE * (colours + torch.randn(_PROBES, channels, height, width, generator=generator))


def _alphas(
    network: Network,
    maps: Float[Tensor, "images units h w"],
    images: Float[Tensor, "images channels H W"],
    weights: Float[Tensor, " classes"],
) -> Float[Tensor, "images units"]:
    """The alphas of a weighted sum of the scores, on the CPU."""
    result = forward_from(network, maps, images)
    return alphas(result.scores @ weights.to(result.scores), result.activation).cpu()
