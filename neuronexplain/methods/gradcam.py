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

from .trace import traced

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks import Network

    from .targets import Target
    from .trace import Trace

Pool = Callable[["Float[Tensor, 'images units h w']"], "Float[Tensor, 'images units']"]


def mean(gradient: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling: Eq. 1."""
    return gradient.mean((2, 3))


def mean_of_negated(gradient: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling of the negated gradient: Eq. 12."""
    return -gradient.mean((2, 3))


def mean_of_absolute(gradient: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global average pooling of the gradient's magnitude: "absolute gradients" of Table 3."""
    return gradient.abs().mean((2, 3))


def maximum(gradient: Float[Tensor, "images units h w"]) -> Float[Tensor, "images units"]:
    """Global max pooling: "GMP gradients" of Table 3."""
    return gradient.amax((2, 3))


def combination(
    alphas: Float[Tensor, "images units"], activation: Float[Tensor, "images units h w"]
) -> Float[Tensor, "images h w"]:
    """The linear combination of Eq. 2, before its ReLU."""
    return torch.einsum("nk,nkhw->nhw", alphas, activation.detach())


@dataclass(frozen=True, slots=True)
class GradCam:
    """Grad-CAM with one way of pooling.

    Attributes:
        pool: what makes alphas of the gradient.
        finish: what follows the combination of Eq. 2.
    """

    pool: Pool = mean
    finish: Callable[[Tensor], Tensor] = torch.relu

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images 1 H W"]:
        """The map, at the resolution of the images."""
        seen = traced(network, images, target)
        (gradient,) = seen.gradients(seen.activation)
        return self.map_from(seen, gradient)

    def map_from(self, seen: Trace, gradient: Float[Tensor, "images units h w"]) -> Float[Tensor, "images 1 H W"]:
        """The map of a gradient that was found already."""
        coarse = self.finish(combination(self.pool(gradient), seen.activation))
        return enlarge(coarse, seen.images.shape[2:])[:, None]
