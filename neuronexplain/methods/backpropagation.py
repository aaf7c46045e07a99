"""What of the pixels a score depends on, colour by colour, and where Grad-CAM says that it matters.

Guided Backpropagation (Springenberg et al. 2014) and Deconvolution (Zeiler and Fergus 2014) are the gradient of the
score by the pixels, with another rule for ReLUs. They are sharp, and much the same for every class. Their product with
Grad-CAM's upsampled map is sharp and of one class: Guided Grad-CAM and Deconvolution Grad-CAM (Selvaraju et al. 2019,
Sec. 3.2).

Deconvolution can leave nothing: what it hands down is nowhere negative, and where a narrow layer's neurons mostly
inhibit, all their sums are negative and all are cut. So it is in trained SqueezeNets, whose ``features.7.squeeze`` has
48 neurons: of most photographs the map is 0 everywhere, in captum as here.
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
    """The gradient of the score by the pixels: one forward and one backward pass.

    Attributes:
        rule: how it passes ReLUs.
    """

    rule: Rule

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images channels H W"]:
        """The gradient, for each colour of each pixel."""
        seen = traced(network, leaf(images), target, rule=self.rule)
        (pixels,) = seen.gradients(seen.images, rule=self.rule)
        return pixels


@dataclass(frozen=True, slots=True)
class Fused:
    """Its pointwise product with Grad-CAM's map (Sec. 3.2): the same forward pass, and the head's backward pass more.

    The ReLUs of the head follow the rule on the way to the pixels, and have their derivative on the way to Grad-CAM's
    alphas.

    Attributes:
        rule: how the gradient by the pixels passes ReLUs.
    """

    rule: Rule

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images channels H W"]:
        """The product, for each colour of each pixel."""
        seen = traced(network, leaf(images), target, rule=self.rule)
        (pixels,) = seen.gradients(seen.images, rule=self.rule)
        return pixels * _GRAD_CAM.map_of(seen)
