"""Grad-CAM: how important each unit is for a score, and where that score comes from.

Selvaraju et al. 2019, Sec. 3. With ``A`` the rectified feature map of a layer, ``y`` the score of a class before the
softmax, and Z the number of cells of the map::

    alpha_k = 1/Z sum_ij dy / dA^k_ij          (Eq. 1)
    L       = ReLU(sum_k alpha_k A^k)          (Eq. 2)

Every function takes a batch: images do not influence each other in evaluation mode, so the gradient of the sum of all
images' scores is each image's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from dissection.errors import NotConnectedError
from dissection.networks.tap import forward_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.networks.network import Network

_PROBES = 4
_ACTIVE = 0.2
_TOLERANCE = 1e-4


def alphas(
    scores: Float[Tensor, " images"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images units"]:
    """Importance of each unit for each image's score: Eq. 1.

    The graph is kept, so that the same forward pass can be asked about other scores.

    Raises:
        NotConnectedError: if the scores do not depend on ``activation``.
    """
    (importance,) = alphas_of_layers(scores, [activation])
    return importance


def alphas_of_layers(
    scores: Float[Tensor, " images"], activations: Sequence[Float[Tensor, "images _ _ _"]]
) -> list[Float[Tensor, "images _"]]:
    """As :func:`alphas`, for the maps of several layers in one backward pass.

    Raises:
        NotConnectedError: if the scores do not depend on one of them.
    """
    gradients: Sequence[Tensor | None] = [None]
    if scores.requires_grad:
        gradients = torch.autograd.grad(scores.sum(), activations, retain_graph=True, allow_unused=True)
    connected = [gradient for gradient in gradients if gradient is not None]
    if len(connected) < len(activations):
        raise NotConnectedError(
            "the score does not depend on the tapped layer; choose a layer that the score is computed from"
        )
    return [gradient.mean((2, 3)) for gradient in connected]


def contributions(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images units"]:
    """Each unit's share of the linearised score: ``alpha_k`` times the mean of ``A^k``."""
    return alphas * activation.detach().mean((2, 3))


def heatmap(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images h w"]:
    """The localisation map on the layer's own grid: Eq. 2."""
    return torch.einsum("nk,nkhw->nhw", alphas, activation.detach()).relu()


def enlarge(maps: Float[Tensor, "images h w"], size: tuple[int, int]) -> Float[Tensor, "images H W"]:
    """Maps brought to ``size`` (height, width), bilinearly with half-pixel centres (Sec. 3.2)."""
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def of_class(scores: Float[Tensor, "images classes"], classes: Int64[Tensor, " images"]) -> Float[Tensor, " images"]:
    """Each image's score for its own class."""
    return scores.gather(1, classes.to(scores.device)[:, None])[:, 0]


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
