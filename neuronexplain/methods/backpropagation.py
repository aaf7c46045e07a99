"""Which pixels a score depends on, colour by colour, alone or where Grad-CAM says that they matter.

Guided Backpropagation (Springenberg et al. 2014) and Deconvolution (Zeiler and Fergus 2014) are the gradient of the
score with respect to the pixels, with another rule for ReLUs. They are sharp, and much the same for every class. Their
product with Grad-CAM's upsampled map is sharp and specific to a class: Guided Grad-CAM and Deconvolution Grad-CAM
(Selvaraju et al. 2019, Sec. 3.2).

Deconvolution can leave nothing: it passes only positive values down, and if a narrow layer's neurons mostly inhibit,
all their sums are negative and all are cut. This happens in trained SqueezeNets, whose ``features.7.squeeze`` has 48
neurons: for most photographs the map is 0 everywhere, here as in captum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .gradcam import GradCam
from .trace import leaf, traced

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network

    from .rectifiers import Rule
    from .targets import Target

_GRAD_CAM = GradCam()


@dataclass(frozen=True, slots=True)
class Backpropagation:
    """The gradient of the score with respect to the pixels: one forward and one backward pass.

    Attributes:
        rule: how the gradient passes ReLUs.
    """

    rule: Rule

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images channels H W"]:
        """The gradient, for each colour of each pixel."""
        trace = traced(network, leaf(images), target, rule=self.rule)
        (pixels,) = trace.gradients(trace.images, rule=self.rule)
        return pixels


@dataclass(frozen=True, slots=True)
class Fused:
    """The gradient's pointwise product with Grad-CAM's map (Sec. 3.2), for one more backward pass, of the head.

    The ReLUs of the head follow the rule on the way to the pixels, and their derivative on the way to Grad-CAM's
    alphas.

    Attributes:
        rule: how the gradient passes ReLUs on the way to the pixels.
    """

    rule: Rule

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images channels H W"]:
        """The product, for each colour of each pixel."""
        trace = traced(network, leaf(images), target, rule=self.rule)
        (pixels,) = trace.gradients(trace.images, rule=self.rule)
        return pixels * _GRAD_CAM.map_of(trace)
