"""Grad-CAM: how important each unit is for a score, where the score comes from, and the variants that the paper tried.

Selvaraju et al. 2019, Sec. 3. With ``A`` the rectified feature map of a layer, ``y`` the score of a class before the
softmax, and Z the number of cells of the map::

    alpha_k = 1/Z sum_ij dy/dA^k_ij           (Eq. 1; Eq. 12: of the negated gradient)
    L       = ReLU(sum_k alpha_k A^k)         (Eq. 2)

Table 3 tries other pooling, other rules for the ReLUs that the gradient passes, and Eq. 2 without its ReLU.

Every function takes a batch: in evaluation mode images do not influence each other, so the gradient of the sum of all
images' scores holds the gradient of each image's score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from .rectifiers import gradient
from .trace import gradients, traced

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network

    from .rectifiers import Rule
    from .targets import Target
    from .trace import Trace

Pool = Callable[["Float[Tensor, 'images units h w']"], "Float[Tensor, 'images units']"]


def mean(slope: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling: Eq. 1."""
    return slope.mean((2, 3))


def mean_of_negated(slope: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling of the negated gradient: Eq. 12."""
    return -slope.mean((2, 3))


def mean_of_absolute(slope: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling of the gradient's magnitude: "absolute gradients" of Table 3."""
    return slope.abs().mean((2, 3))


def maximum(slope: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global max pooling: "GMP gradients" of Table 3."""
    return slope.amax((2, 3))


def combination(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images h w"]:
    """The linear combination of Eq. 2, before its ReLU."""
    return torch.einsum("nk,nkhw->nhw", alphas, activation.detach())


def alphas(
    scores: Float[Tensor, " images"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images units"]:
    """Importance of each unit for each image's score: Eq. 1.

    The graph is kept, so that the same forward pass can serve other scores.

    Raises:
        NotConnectedError: if the scores do not depend on ``activation``.
    """
    (importance,) = alphas_of_layers(scores, [activation])
    return importance


def alphas_of_layers(
    scores: Float[Tensor, " images"], activations: Sequence[Float[Tensor, "images _ _ _"]]
) -> list[Float[Tensor, "images _"]]:
    """Like :func:`alphas`, for the maps of several layers in one backward pass.

    Raises:
        NotConnectedError: if the scores do not depend on one of them.
    """
    return [mean(slope) for slope in gradients(scores, activations)]


def contributions(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images units"]:
    """Each unit's share of the linearised score: ``alpha_k`` times the mean of ``A^k``."""
    return alphas * activation.detach().mean((2, 3))


def lit_contributions(
    alphas: Float[Tensor, "images units"],
    activation: Float[Tensor, "images units h w"],
    thresholds: Float[Tensor, " units"],
) -> Float[Tensor, "images units"]:
    """The part of each unit's contribution that comes from its lit cells: ``alpha_k mean(A^k [A^k > T_k])``."""
    maps = activation.detach()
    is_lit = maps > thresholds.to(maps.device)[:, None, None]
    return alphas * (maps * is_lit).mean((2, 3))


def effects(
    slope: Float[Tensor, "images units h w"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images units"]:
    """What each image's score loses to first order without each unit: ``sum_ij dy/dA^k_ij A^k_ij``."""
    return torch.einsum("nkhw,nkhw->nk", slope, activation.detach())


def potentials(
    slope: Float[Tensor, "images units h w"], maps: Float[Tensor, "units h w"]
) -> Float[Tensor, "images units"]:
    """What each image's score would gain to first order from other maps of its units: ``sum_ij dy/dA^k_ij On^k_ij``."""
    return torch.einsum("nkhw,khw->nk", slope, maps.to(slope))


def heatmap(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images h w"]:
    """The localisation map on the layer's grid: Eq. 2."""
    return combination(alphas, activation).relu()


def enlarge(maps: Float[Tensor, "images h w"], size: tuple[int, int]) -> Float[Tensor, "images H W"]:
    """Maps resized to ``size`` (height, width), bilinearly with half-pixel centres (Sec. 3.2)."""
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def like_images(
    coarse: Float[Tensor, "images h w"], images: Float[Tensor, "images channels H W"]
) -> Float[Tensor, "images 1 H W"]:
    """A map on a layer's grid, upsampled to the images' resolution (Sec. 3.2), on the images' device."""
    height, width = images.shape[2:]
    return enlarge(coarse, (height, width))[:, None].to(images.device)


@dataclass(frozen=True, slots=True)
class GradCam:
    """Grad-CAM with its variants.

    Attributes:
        pool: turns the gradient into alphas.
        rule: how the gradient passes the ReLUs between the score and the layer.
        finish: is applied to the combination of Eq. 2.
    """

    pool: Pool = mean
    rule: Rule = gradient
    finish: Callable[[Tensor], Tensor] = torch.relu

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images 1 H W"]:
        """The map, at the resolution of the images."""
        return self.map_of(traced(network, images, target, rule=self.rule))

    def map_of(self, trace: Trace) -> Float[Tensor, "images 1 H W"]:
        """The map of an earlier forward pass."""
        (slope,) = trace.gradients(trace.activation, rule=self.rule)
        return like_images(self.finish(combination(self.pool(slope), trace.activation)), trace.images)
