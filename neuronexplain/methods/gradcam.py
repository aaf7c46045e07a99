"""Grad-CAM, its counterfactual, and the choices that the paper weighed it against.

Selvaraju et al. 2019. With the gradient of the score by the rectified map ``A`` of a layer, pooled over its cells::

    alpha_k = pool_ij dy/dA^k_ij              (Eq. 1: the mean; Eq. 12: of the negated gradient)
    L       = ReLU(sum_k alpha_k A^k)         (Eq. 2)

Table 3 tries other pooling, other rules for the ReLUs that the gradient passes, and Eq. 2 without its ReLU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from neuronexplain.gradcam import enlarge

from .rectifiers import gradient
from .trace import traced

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


def like_images(
    coarse: Float[Tensor, "images h w"], images: Float[Tensor, "images channels H W"]
) -> Float[Tensor, "images 1 H W"]:
    """A map on a layer's grid, upsampled to the images' resolution (Sec. 3.2), where the images are."""
    height, width = images.shape[2:]
    return enlarge(coarse, (height, width))[:, None].to(images.device)


@dataclass(frozen=True, slots=True)
class GradCam:
    """Grad-CAM with its choices.

    Attributes:
        pool: what makes alphas of the gradient.
        rule: how the gradient passes the ReLUs between the score and the layer.
        finish: what follows the combination of Eq. 2.
    """

    pool: Pool = mean
    rule: Rule = gradient
    finish: Callable[[Tensor], Tensor] = torch.relu

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images 1 H W"]:
        """The map, at the resolution of the images."""
        return self.map_of(traced(network, images, target, rule=self.rule))

    def map_of(self, seen: Trace) -> Float[Tensor, "images 1 H W"]:
        """The map of a forward pass that was made already."""
        (slope,) = seen.gradients(seen.activation, rule=self.rule)
        return like_images(self.finish(combination(self.pool(slope), seen.activation)), seen.images)
